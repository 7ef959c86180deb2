#include "worker_shim/native/stack_dump.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace plugin_worker {
namespace {

constexpr std::size_t max_text = 256u << 10;

}  // namespace

void StackDump::prepare(int file, int signal) {
  const std::lock_guard lock(mutex_);
  file_ = file;
  signal_ = signal;
}

std::string StackDump::take() {
  const std::lock_guard lock(mutex_);
  if (file_ < 0) return {};
  if (::ftruncate(file_, 0) != 0 || ::lseek(file_, 0, SEEK_SET) != 0) return {};
  // The handler runs on this thread, within pthread_kill().
  sigset_t wanted;
  sigset_t before;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, signal_);
  ::pthread_sigmask(SIG_UNBLOCK, &wanted, &before);
  ::pthread_kill(::pthread_self(), signal_);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::string text(max_text, '\0');
  const auto size = ::pread(file_, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

}  // namespace plugin_worker
