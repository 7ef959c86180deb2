#include "supervisor/lifecycle/ledger_keeper.h"

#include "supervisor/logs/structured_log.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

void LedgerKeeper::keep(store::CrashLedgerRow row) {
  auto key = row.key;
  unwritten_.insert_or_assign(std::move(key), std::move(row));
  changed_.notify();
}

asio::awaitable<void> LedgerKeeper::write_forever() {
  bool outage = false;
  for (;;) {
    while (unwritten_.empty()) co_await changed_.changed_since(changed_.version());
    std::vector<store::CrashLedgerRow> rows;
    for (const auto& [key, row] : unwritten_) rows.push_back(row);
    unwritten_.clear();
    writing_ = true;
    auto storing = store_.save_ledgers(rows);
    const auto stored = co_await std::move(storing);
    writing_ = false;
    changed_.notify();
    if (!stored.has_error()) {
      outage = false;
      continue;
    }
    if (!outage)
      logs::log_event(spdlog::level::warn, "ledger.unwritten",
                      {{"error", stored.error().message()}});
    outage = true;
    // What came meanwhile is newer.
    for (auto& row : rows) {
      auto key = row.key;
      unwritten_.emplace(std::move(key), std::move(row));
    }
    const auto until = ChangeSignal::Clock::now() + 1s;
    while (ChangeSignal::Clock::now() < until)
      co_await changed_.changed_since(changed_.version(), until);
  }
}

asio::awaitable<void> LedgerKeeper::written(ChangeSignal::Clock::time_point deadline) {
  while (writing_ || !unwritten_.empty()) {
    const bool woken = co_await changed_.changed_since(changed_.version(), deadline);
    if (!woken) co_return;
  }
}

}  // namespace supervisor::lifecycle
