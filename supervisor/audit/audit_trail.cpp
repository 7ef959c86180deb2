#include "supervisor/audit/audit_trail.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::audit {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);
// A transaction costs the database as much as many rows: so many share one.
constexpr auto gather = 250ms;
constexpr auto outage_pause = 1s;
constexpr auto hurried_pause = 100ms;
constexpr auto patience_of_a_list = 2s;
constexpr std::size_t max_name = 200;
constexpr std::size_t max_key = 512;  // 128 characters.
constexpr std::uint32_t default_limit = 100;
constexpr std::uint32_t max_limit = 1000;

// The database takes neither NUL nor what is not UTF-8.
void clean(std::string& text, std::size_t most = max_name) {
  text = logs::printable_name(std::move(text), most);
}

}  // namespace

AuditTrail::AuditTrail(asio::any_io_executor core, store::Store& store, std::size_t max_unwritten)
    : core_(std::move(core)),
      store_(store),
      max_unwritten_(max_unwritten),
      work_(std::make_shared<Timer>(core_, Timer::time_point::max())),
      pause_(core_) {}

asio::awaitable<Outcome<void>> AuditTrail::recall() {
  auto reading = store_.last_audit_id();
  const auto last = co_await std::move(reading);
  if (last.has_error()) co_return last.error();
  const std::lock_guard lock(mutex_);
  last_id_ = std::max(last_id_, last.value());
  co_return Outcome<void>();
}

v1::AuditEntry AuditTrail::entry(v1::Caller caller, v1::AuditAction action,
                                 const std::string& plugin) {
  v1::AuditEntry entry;
  const auto now = sys::unix_us();
  entry.set_time_unix_us(now);
  clean(*caller.mutable_origin());
  clean(*caller.mutable_actor());
  clean(*caller.mutable_on_behalf_of());
  clean(*caller.mutable_client());
  clean(*caller.mutable_request_id());
  *entry.mutable_caller() = std::move(caller);
  entry.set_plugin(plugin);
  clean(*entry.mutable_plugin(), max_key);
  entry.set_action(action_word(action));
  const std::lock_guard lock(mutex_);
  last_id_ = std::max(last_id_ + 1, now);
  entry.set_id(last_id_);
  return entry;
}

void AuditTrail::record(v1::AuditEntry entry) {
  const bool is_run = entry.action() == "run";
  auto note = std::make_shared<const v1::AuditEntry>(std::move(entry));
  const auto most = is_run ? max_unwritten_ : max_unwritten_ + max_unwritten_ / 2;
  {
    const std::lock_guard lock(mutex_);
    if (unwritten_.size() >= most) {
      ++lost_;
      return;
    }
    unwritten_.push_back(std::move(note));
    if (unwritten_.size() != 1) return;
  }
  const std::weak_ptr<Timer> weak = work_;
  asio::post(core_, [weak] {
    if (const auto work = weak.lock()) work->cancel();
  });
}

void AuditTrail::refuse(v1::AuditEntry entry, v1::Reason reason) {
  entry.set_reason(reason_code(reason));
  record(std::move(entry));
}

asio::awaitable<Outcome<std::vector<v1::AuditEntry>>> AuditTrail::list(store::AuditFilter filter) {
  filter.limit = filter.limit == 0 ? default_limit : std::min(filter.limit, max_limit);
  co_await written(Clock::now() + patience_of_a_list);
  auto reading = store_.audit(std::move(filter));
  co_return co_await std::move(reading);
}

asio::awaitable<void> AuditTrail::pause(std::chrono::milliseconds time) {
  pause_.expires_after(time);
  co_await pause_.async_wait(no_throw);
}

asio::awaitable<void> AuditTrail::write_forever() {
  for (;;) {
    while (unwritten() == 0) {
      // Looked at again after this: what came in between is not missed, since
      // whoever records the first posts to this thread.
      work_->expires_at(Timer::time_point::max());
      co_await work_->async_wait(no_throw);
    }
    if (in_a_hurry_ == 0) co_await pause(gather);
    const bool wrote = co_await write_some();
    if (!wrote) co_await pause(in_a_hurry_ == 0 ? outage_pause : hurried_pause);
  }
}

// False when the database is away.
asio::awaitable<bool> AuditTrail::write_some() {
  auto entries = oldest(batch_);
  const auto count = entries.size();
  auto storing = store_.save_audit(std::move(entries));
  const auto stored = co_await std::move(storing);
  if (stored.has_value()) {
    drop_oldest(count, false);
    batch_ = max_batch;
    outage_ = false;
    if (const auto lost = this->lost(); lost != lost_told_) {
      logs::log_event(spdlog::level::err, "audit.lost", {{"entries", lost - lost_told_}});
      lost_told_ = lost;
    }
    co_return true;
  }
  const bool away = stored.error().reason() == v1::REASON_DATABASE_UNAVAILABLE;
  if (!std::exchange(outage_, true))
    logs::log_event(spdlog::level::err, "audit.unwritten", {{"error", stored.error().message()}});
  if (away) co_return false;
  // One that the database refuses must not keep out the others: it is searched
  // for by halves, and given up.
  if (count <= 1) drop_oldest(count, true);
  batch_ = std::max<std::size_t>(1, count / 2);
  co_return true;
}

asio::awaitable<void> AuditTrail::written(Clock::time_point deadline) {
  std::uint64_t all = 0;
  const auto done = [this] {
    const std::lock_guard lock(mutex_);
    return written_;
  };
  {
    const std::lock_guard lock(mutex_);
    all = written_ + unwritten_.size();
  }
  if (done() >= all) co_return;
  ++in_a_hurry_;
  pause_.cancel();
  Timer timer(co_await asio::this_coro::executor);
  while (done() < all && Clock::now() < deadline) {
    timer.expires_after(5ms);
    co_await timer.async_wait(no_throw);
  }
  --in_a_hurry_;
}

std::vector<store::AuditNote> AuditTrail::oldest(std::size_t count) const {
  const std::lock_guard lock(mutex_);
  const auto end =
      unwritten_.begin() + static_cast<std::ptrdiff_t>(std::min(count, unwritten_.size()));
  return {unwritten_.begin(), end};
}

std::size_t AuditTrail::unwritten() const {
  const std::lock_guard lock(mutex_);
  return unwritten_.size();
}

void AuditTrail::drop_oldest(std::size_t count, bool are_lost) {
  std::vector<store::AuditNote> dropped;  // Destroyed without the lock.
  dropped.reserve(count);
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < count; ++i) {
    dropped.push_back(std::move(unwritten_.front()));
    unwritten_.pop_front();
  }
  written_ += count;
  if (are_lost) lost_ += count;
}

std::uint64_t AuditTrail::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

std::string action_word(v1::AuditAction action) {
  return lower_without_prefix(v1::AuditAction_Name(action), "AUDIT_ACTION_");
}

}  // namespace supervisor::audit
