// plugin-init WORKER MODE: what the init of a worker becomes once it has forked
// it (native/worker_init.cpp). Reaps what falls to it until the worker, its child
// number WORKER, has ended; writes down how, in the exit record that it holds as
// descriptor 3; and ends the same way. MODE is 1 in a PID namespace of its own.
//
// A static program that allocates nothing: there is one for each worker.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr int exit_record = 3;

void sleep_ms(long ms) {
  timespec pause{ms / 1000, (ms % 1000) * 1'000'000};
  ::nanosleep(&pause, nullptr);
}

/// Signals every child of this process. The number of them.
int signal_children(int signal) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/children", ::getpid());
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  static char text[1 << 16];
  ssize_t size = 0;
  ssize_t got = 0;
  while ((got = ::read(file, text + size, sizeof text - 1 - static_cast<std::size_t>(size))) > 0)
    size += got;
  ::close(file);
  text[size] = '\0';
  int count = 0;
  for (char* at = text; *at != '\0';) {
    char* end = nullptr;
    const long pid = std::strtol(at, &end, 10);
    if (end == at) break;
    ::kill(static_cast<pid_t>(pid), signal);
    ++count;
    at = end;
  }
  return count;
}

/// Ends what the worker left: orphans fall to this process one generation at a
/// time, as those above them die.
void end_descendants() {
  constexpr int rounds = 400;
  for (int round = 0; round < rounds; ++round) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (signal_children(SIGKILL) == 0) return;
    sleep_ms(round < 20 ? 1 : 10);
  }
}

[[noreturn]] void reap_until_ended(pid_t worker, bool pid_namespace) {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, 0);
    if (pid < 0 && errno == EINTR) continue;
    if (pid != worker && pid > 0) continue;
    const bool signalled = pid > 0 && WIFSIGNALED(status);
    const int code = pid < 0 ? 125 : signalled ? WTERMSIG(status) : WEXITSTATUS(status);
    char line[32];
    const int size =
        std::snprintf(line, sizeof line, "%s %d\n", signalled ? "signalled" : "exited", code);
    [[maybe_unused]] const auto put = ::write(exit_record, line, static_cast<std::size_t>(size));
    // In a PID namespace the kernel ends the others, and this process is not
    // seen to have ended before they have (pid_namespaces(7)).
    if (!pid_namespace) end_descendants();
    ::_exit(signalled ? 128 + code : code);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  ::prctl(PR_SET_NAME, "plugin-init", 0, 0, 0);  // It was executed without a name.
  reap_until_ended(static_cast<pid_t>(std::atoi(argv[1])), argv[2][0] == '1');
}
