// The Python stacks of all threads as text, also while one of them holds the
// GIL for ever: Python's faulthandler writes them in a signal handler of its
// own, which needs no lock, into a file that is read back here.
//
// Owned by the Worker. One dump at a time, on whichever thread asks.
#pragma once

#include <mutex>
#include <string>

namespace plugin_worker {

class StackDump {
 public:
  /// faulthandler was told to write to `file` on `signal`.
  void prepare(int file, int signal);

  /// Empty when it was not prepared.
  std::string take();

 private:
  std::mutex mutex_;
  int file_ = -1;
  int signal_ = 0;
};

}  // namespace plugin_worker
