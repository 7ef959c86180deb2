// The audit trail: who has changed or controlled what. A change that is itself
// a write to the database takes its entry along in the same statement; what is
// not, and what was refused, is written behind the calls' backs, in batches, and
// waits while the database is away.
//
// One per supervisor, built by main(). entry(), record(), refuse() and lost() on
// any thread, the awaitables on the core thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/audit_service.pb.h"
#include "supervisor/store/store.h"

namespace supervisor::audit {

class AuditTrail {
 public:
  using Clock = std::chrono::steady_clock;

  /// `max_unwritten`: how many entries of runs wait for the database at most,
  /// and half as many others beyond them; more are lost, and counted.
  AuditTrail(boost::asio::any_io_executor core, store::Store& store,
             std::size_t max_unwritten = 50000);
  AuditTrail(const AuditTrail&) = delete;
  AuditTrail& operator=(const AuditTrail&) = delete;

  /// Goes on from the highest id in the database, should the clock have been
  /// set back. Before the first entry.
  boost::asio::awaitable<Outcome<void>> recall();

  /// An entry of this moment, not recorded yet. What the caller says is cut and
  /// made printable.
  v1::AuditEntry entry(v1::Caller caller, v1::AuditAction action, const std::string& plugin);

  /// It was done: writes it down.
  void record(v1::AuditEntry entry);
  /// It was not: writes down why. Of an entry that has come to the database
  /// after all, though nobody was told so, that one counts.
  void refuse(v1::AuditEntry entry, v1::Reason reason);

  /// What is being done, or refused as told by `entry`; who does it records the
  /// rest.
  template <typename Result>
  boost::asio::awaitable<Outcome<Result>> told(v1::AuditEntry entry,
                                               boost::asio::awaitable<Outcome<Result>> doing) {
    auto outcome = co_await std::move(doing);
    if (outcome.has_error()) refuse(std::move(entry), outcome.error().reason());
    co_return outcome;
  }

  /// Newest first, what was recorded before among it.
  boost::asio::awaitable<Outcome<std::vector<v1::AuditEntry>>> list(store::AuditFilter filter);

  /// The coroutine that writes. Spawned once; runs for as long as the daemon.
  boost::asio::awaitable<void> write_forever();

  /// Waits until all that is recorded by now is written, or `deadline`.
  boost::asio::awaitable<void> written(Clock::time_point deadline);

  /// Entries that the database will never know of.
  [[nodiscard]] std::uint64_t lost() const;

 private:
  using Timer = boost::asio::steady_timer;

  [[nodiscard]] std::vector<store::AuditNote> oldest(std::size_t count) const;
  [[nodiscard]] std::size_t unwritten() const;
  void drop_oldest(std::size_t count, bool are_lost);
  boost::asio::awaitable<bool> write_some();
  boost::asio::awaitable<void> pause(std::chrono::milliseconds time);

  const boost::asio::any_io_executor core_;
  store::Store& store_;
  const std::size_t max_unwritten_;
  // Goes off when there is something to write; shared with those who say so,
  // which is posted to the core thread.
  const std::shared_ptr<Timer> work_;
  Timer pause_;
  std::size_t batch_ = max_batch;
  int in_a_hurry_ = 0;  // Those who wait for all to be written.
  bool outage_ = false;
  std::uint64_t lost_told_ = 0;

  mutable std::mutex mutex_;
  std::int64_t last_id_ = 0;
  std::deque<store::AuditNote> unwritten_;
  std::uint64_t written_ = 0;  // Or lost: those that have left the queue.
  std::uint64_t lost_ = 0;

  static constexpr std::size_t max_batch = 2000;
};

/// "unquarantine": as in the database.
std::string action_word(v1::AuditAction action);

}  // namespace supervisor::audit
