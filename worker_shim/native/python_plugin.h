// The plugin as the link sees it: calls go into the Python package's host
// object, answers go to the outbox.
//
// Owned by the Link object, lives as long as the process. Thread-safe; each
// method says whether its caller holds the GIL.
#pragma once

#include "worker_shim/native/python.h"

// After Python.h.
#include <pthread.h>
#include "worker_shim/native/worker.h"

namespace plugin_worker {

class PythonPlugin final : public PluginPort {
 public:
  /// What the link works with; set before any call comes. `host` has the
  /// methods call(kind, name, params, call id, job id) -> bytes or failure tuple,
  /// change_settings(json), refresh() and stop(reason) -> (called, failure or
  /// None). With the GIL.
  void set_worker(Worker& worker) { worker_ = &worker; }
  void set_host(Ref host) { host_ = std::move(host); }
  /// What interrupt() raises, and the signal with which it reaches the main
  /// thread, whose Python handler raises it. With the GIL, on the main thread.
  void set_interruption(Ref exception, int signal);

  /// Called with a descriptor when the main thread has nothing to do; returns
  /// when it is readable. For libraries that need the main thread meanwhile.
  void set_idle(Ref idle) { idle_ = std::move(idle); }

  /// Runs jobs on this thread, the main one, for ever. Returns, with an
  /// exception set, when a signal handler raised SystemExit. With the GIL.
  void run_main_thread();

  void run_pool_thread() override;  // Without the GIL.
  void interrupt(std::uint64_t call_id, std::chrono::milliseconds grace) override;  // Likewise.
  void run_with_interpreter(const std::function<void()>& body) override;            // Likewise.
  v1::Stopped stop(const std::string& reason) override;  // Without the GIL.

 private:
  void run(const Job& job, v1::WorkerFrame& answer);
  void call(const v1::Invoke& invoke, v1::Result& result);
  bool handle_signals();
  bool wait_for_job();  // False when a signal handler raised SystemExit.

  Worker* worker_ = nullptr;
  Ref host_;
  Ref idle_;
  Ref cancelled_;
  int interrupt_signal_ = 0;
  unsigned long main_ident_ = 0;
  pthread_t main_thread_ = {};
};

}  // namespace plugin_worker
