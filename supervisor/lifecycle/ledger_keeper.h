// Writes crash ledgers to the database behind the plugins' backs: a restart
// never waits for it, a database that is away gets the newest of each plugin
// when it is back. Owned by the registry; on the core thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>

#include "supervisor/lifecycle/change_signal.h"
#include "supervisor/store/store.h"

namespace supervisor::lifecycle {

class LedgerKeeper {
 public:
  LedgerKeeper(boost::asio::any_io_executor core, store::Store& store)
      : store_(store), changed_(std::move(core)) {}

  /// Takes the newest; what was kept of the same plugin before is replaced.
  void keep(store::CrashLedgerRow row);

  /// The coroutine. Spawned once; runs for as long as the daemon.
  boost::asio::awaitable<void> write_forever();

  /// Waits until all is written, or `deadline`.
  boost::asio::awaitable<void> written(ChangeSignal::Clock::time_point deadline);

 private:
  store::Store& store_;
  ChangeSignal changed_;
  std::map<std::string, store::CrashLedgerRow> unwritten_;
  bool writing_ = false;
};

}  // namespace supervisor::lifecycle
