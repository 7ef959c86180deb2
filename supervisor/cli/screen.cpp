#include "supervisor/cli/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "supervisor/sys/syscall.h"

namespace supervisor::cli {
namespace {

constexpr std::string_view to_alternate = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J";
constexpr std::string_view to_usual = "\x1b[?25h\x1b[?1049l";

}  // namespace

TerminalSignals::TerminalSignals() {
  sigset_t taken;
  ::sigemptyset(&taken);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH})
    ::sigaddset(&taken, number);
  ::pthread_sigmask(SIG_BLOCK, &taken, &before_);
  fd_.reset(
      sys::checked("signalfd", [&] { return ::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK); }));
}

TerminalSignals::~TerminalSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

int TerminalSignals::take() const {
  signalfd_siginfo info{};
  const auto got = sys::retry_on_eintr([&] { return ::read(fd_.get(), &info, sizeof info); });
  return got == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

Screen::Screen(Terminal& terminal, TerminalSignals& signals)
    : terminal_(terminal),
      signals_(signals),
      reads_keys_(::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
  enter();
}

Screen::~Screen() { leave(); }

void Screen::enter() {
  if (reads_keys_) {
    termios raw = before_;
    // Signals stay: Ctrl-C and Ctrl-Z come as such.
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  terminal_.print(to_alternate);
  terminal_.flush();
}

void Screen::leave() {
  terminal_.print(to_usual);
  terminal_.flush();
  if (reads_keys_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

TopSize Screen::size() const {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0)
    return {80, 24};
  return {window.ws_col, window.ws_row};
}

bool Screen::paint(std::string_view lines) {
  std::string frame = "\x1b[H";
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    frame += lines.substr(0, end);
    frame += "\x1b[K";  // What a longer line had left.
    lines.remove_prefix(std::min(end + 1, lines.size()));
    // A line end after the last line would scroll a full screen.
    if (!lines.empty()) frame += "\r\n";
  }
  frame += "\x1b[J";
  terminal_.print(frame);
  return terminal_.flush();
}

Screen::Happening Screen::wait(int fd, std::chrono::steady_clock::time_point until) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    // One that is negative is passed over by poll(2).
    std::array<pollfd, 3> waited{{{signals_.fd(), POLLIN, 0},
                                  {reads_keys_ ? STDIN_FILENO : -1, POLLIN, 0},
                                  {fd, POLLIN, 0}}};
    sys::retry_on_eintr([&] {
      return ::poll(waited.data(), waited.size(),
                    static_cast<int>(std::max<std::int64_t>(0, left.count())));
    });
    if (waited[0].revents != 0)
      if (const auto happened = on_signal()) return *happened;
    if (waited[1].revents != 0)
      if (const auto happened = on_input()) return *happened;
    if (waited[2].revents != 0) return {Event::ready};
    if (left.count() <= 0) return {Event::elapsed};
  }
}

std::optional<Screen::Happening> Screen::on_signal() {
  switch (signals_.take()) {
    case 0:
      return std::nullopt;
    case SIGWINCH:
      return Happening{Event::resized};
    case SIGTSTP:
      leave();
      // Not SIGTSTP, which is blocked; the shell sees a stopped job all the same.
      ::kill(::getpid(), SIGSTOP);
      enter();
      return Happening{Event::resized};
    default:
      return Happening{Event::ended};
  }
}

std::optional<Screen::Happening> Screen::on_input() {
  char key = 0;
  const auto got = sys::retry_on_eintr([&] { return ::read(STDIN_FILENO, &key, 1); });
  if (got <= 0) return Happening{Event::ended};
  return Happening{Event::key, key};
}

}  // namespace supervisor::cli
