#include "supervisor/lifecycle/spare_workers.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <system_error>

#include "supervisor/logs/structured_log.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// From asking for one until it is given up; a spawner may be importing still.
constexpr auto patience = 60s;

}  // namespace

SpareWorkers::SpareWorkers(asio::any_io_executor core, Options options,
                           const limits::LimitSupport& support, LaunchNumbers& numbers)
    : core_(std::move(core)),
      options_(std::move(options)),
      support_(support),
      numbers_(numbers),
      made_(core_) {}

// Their groups have been made, and without one for processor time: it would
// change how all plugins share it.
unsigned SpareWorkers::wanted() const {
  return closed_ || options_.limits.cpus > 0 ? 0 : options_.count;
}

bool SpareWorkers::is_making() const {
  return std::any_of(spares_.begin(), spares_.end(),
                     [](const auto& entry) { return entry.second.making; });
}

std::optional<Launch> SpareWorkers::take(const spawner::Runtime& runtime,
                                         const limits::Limits& limits) {
  drop_outdated();
  if (!runtime.command.empty() || !(limits == options_.limits)) return std::nullopt;
  const auto found = spares_.find(OfSpawner(runtime.spawner));
  if (found == spares_.end()) return std::nullopt;
  auto& waiting = found->second.waiting;
  while (!waiting.empty()) {
    auto spare = std::move(waiting.front().launch);
    waiting.pop_front();
    if (spare.is_alive()) return spare;
    spare.end();  // Somebody has killed it.
  }
  return std::nullopt;
}

void SpareWorkers::replenish(const spawner::Runtime& runtime) {
  if (runtime.spawner && runtime.command.empty()) replenish(runtime.spawner);
}

void SpareWorkers::replenish(const std::shared_ptr<spawner::Spawner>& spawner) {
  drop_outdated();
  if (wanted() == 0) return;
  auto& spares = spares_[OfSpawner(spawner)];
  if (spares.making || spares.waiting.size() >= wanted() || !spawner->is_idle()) return;
  spares.making = true;
  // Not at once: whoever asks has something to say or to answer.
  asio::post(core_, [this, spawner] {
    asio::co_spawn(
        core_, [this, spawner] { return make_missing(spawner); }, asio::detached);
  });
}

void SpareWorkers::add(const OfSpawner& of, Launch launch) {
  sys::UniqueFd init(::dup(launch.spawned.init.fd()));
  if (!init) {
    launch.end();
    throw std::system_error(errno, std::generic_category(), "dup");
  }
  asio::posix::stream_descriptor end(core_, init.release());
  auto& added = spares_[of].waiting.emplace_back(
      Waiting{++last_number_, std::move(launch), std::move(end), Clock::now()});
  added.end.async_wait(asio::posix::stream_descriptor::wait_read,
                       [this, of, number = added.number](const boost::system::error_code& error) {
                         if (!error) lose(of, number);
                       });
}

// Somebody has killed it. One that cannot live is not made over and over.
void SpareWorkers::lose(const OfSpawner& of, std::uint64_t number) {
  auto& waiting = spares_[of].waiting;
  const auto found = std::find_if(waiting.begin(), waiting.end(), [number](const Waiting& spare) {
    return spare.number == number;
  });
  if (found == waiting.end()) return;  // It was taken when its end was on its way to us.
  logs::log_event(spdlog::level::warn, "spare.ended",
                  {{"init_pid", found->launch.spawned.init.pid()}});
  const bool lived = Clock::now() - found->since > 1s;
  found->launch.end();
  waiting.erase(found);
  if (const auto spawner = of.lock(); spawner && lived) replenish(spawner);
}

void SpareWorkers::drop_outdated() {
  for (auto entry = spares_.begin(); entry != spares_.end();) {
    auto& [spawner, spares] = *entry;
    const bool outdated = spawner.expired() && !spares.making;
    if (outdated)
      for (auto& spare : spares.waiting) spare.launch.end();
    entry = outdated ? spares_.erase(entry) : std::next(entry);
  }
}

asio::awaitable<void> SpareWorkers::make_missing(std::shared_ptr<spawner::Spawner> spawner) {
  const OfSpawner of(spawner);
  std::string error;
  try {
    while (error.empty() && spares_[of].waiting.size() < wanted() && spawner->is_idle()) {
      auto making = make_one(*spawner);
      auto made = co_await std::move(making);
      if (made.has_error()) {
        error = made.error().message();
      } else if (wanted() == 0) {
        made.value().end();
      } else {
        add(of, std::move(made.value()));
      }
    }
  } catch (const std::exception& caught) {  // No descriptors are left, for example.
    error = caught.what();
  }
  if (!error.empty())
    logs::log_event(spdlog::level::warn, "spare.failed",
                    {{"profile", spawner->profile().name}, {"error", error}});
  spares_[of].making = false;
  made_.notify();
  spawner.reset();
  drop_outdated();
}

asio::awaitable<void> SpareWorkers::close(Clock::time_point deadline) {
  closed_ = true;
  // What is being made is not waited for: its spawner may be stuck.
  for (const auto& [of, spares] : spares_)
    if (const auto spawner = spares.making ? of.lock() : nullptr) spawner->end();
  bool in_time = true;
  while (in_time && is_making()) {
    const bool made = co_await made_.changed_since(made_.version(), deadline);
    in_time = made;
  }
  // All at once, and then one after the other for their ends.
  for (auto& [spawner, spares] : spares_)
    for (auto& spare : spares.waiting) spare.launch.end();
  for (auto& [spawner, spares] : spares_) {
    for (auto& spare : spares.waiting)
      spare.launch.end(std::max(
          0ms, std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now())));
    spares.waiting.clear();
  }
}

asio::awaitable<Outcome<Launch>> SpareWorkers::make_one(spawner::Spawner& spawner) {
  const auto place = co_await spawner.take_place();
  const auto number = numbers_.next();
  auto launch = Launch::make(options_.runtime_dir, number);
  // Numbers begin anew with each supervisor; groups may be left of the one before.
  launch.limits = limits::LaunchLimits::spare(
      support_, "launch-" + options_.instance + "-" + std::to_string(number), options_.limits);
  spawner::SpawnOrder order;
  order.ahead = spawner.isolation().ahead;
  order.spare = true;
  auto forking = launch.fork(spawner, place, std::move(order), Clock::now() + patience);
  auto forked = co_await std::move(forking);
  if (forked.has_error()) co_return forked.error();
  co_return std::move(launch);
}

}  // namespace supervisor::lifecycle
