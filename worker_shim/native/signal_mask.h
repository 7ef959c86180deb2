// Which threads get signals. Python runs its handlers on the main thread, so
// threads that are not Python's get none; those that run plugin code have the
// mask the process was started with, because what they start inherits it.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace plugin_worker {

/// While this lives, this thread and those it starts get no signals.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

inline sigset_t current_signal_mask() {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return mask;
}

}  // namespace plugin_worker
