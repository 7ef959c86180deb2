#include <fcntl.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "supervisor/sys/failure.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/json_slice.h"
#include "supervisor/sys/pidfd.h"
#include "supervisor/sys/process_tree.h"
#include "supervisor/sys/random.h"

using namespace supervisor;

namespace {

struct TemporaryDirectory {
  std::filesystem::path path;
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sys_test_XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("a member is cut out of an envelope byte for byte") {
  const std::string body =
      R"({"action":"x","params":{"big":12345678901234567890123,"s":"a\"}]","n":[1, 2]} ,"z":1})";
  REQUIRE(sys::json_error(body).empty());
  CHECK(sys::json_member(body, "params") ==
        R"({"big":12345678901234567890123,"s":"a\"}]","n":[1, 2]})");
  CHECK(sys::json_member(body, "action") == "\"x\"");
  CHECK(sys::json_member(body, "z") == "1");
  CHECK_FALSE(sys::json_member(body, "missing"));
}

TEST_CASE("the last of repeated members wins and escaped names match") {
  CHECK(sys::json_member(R"({"a":1,"\u0061":2})", "a") == "2");
}

TEST_CASE("an envelope that is not an object has no members") {
  CHECK_FALSE(sys::json_member("[1]", "a"));
  CHECK_FALSE(sys::json_member("{}", "a"));
  CHECK_FALSE(sys::json_member(" 7 ", "a"));
}

TEST_CASE("malformed JSON is refused with the place of the mistake") {
  CHECK(sys::json_error("{\"a\":}").find("byte") != std::string::npos);
  CHECK_FALSE(sys::json_error("").empty());
  CHECK_FALSE(sys::json_error("{} {}").empty());
  CHECK_FALSE(sys::json_error("{\"a\":NaN}").empty());
  CHECK_FALSE(sys::json_error("\"\xff\"").empty());
  CHECK(sys::json_error(" {\"a\":[1,2,{\"b\":null}]} \n").empty());
}

TEST_CASE("nesting beyond the limit is refused, not followed") {
  const std::string deep(100000, '[');
  CHECK_FALSE(sys::json_error(deep).empty());
  const std::string allowed = std::string(60, '[') + std::string(60, ']');
  CHECK(sys::json_error(allowed).empty());
}

TEST_CASE("a file over the limit is refused while reading") {
  TemporaryDirectory directory;
  const auto file = directory.path / "f";
  sys::write_file_atomically(file, std::string(1000, 'x'), 0600);
  CHECK(sys::read_file(file, 1000).size() == 1000);
  CHECK_THROWS_AS(sys::read_file(file, 999), sys::FileTooLarge);
}

TEST_CASE("a FIFO in place of a file is an error, not a wait") {
  TemporaryDirectory directory;
  const auto fifo = directory.path / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_THROWS_AS(sys::read_file(fifo, 10), std::system_error);
}

TEST_CASE("a failure survives the way through a gRPC status") {
  auto failure = make_failure(v1::REASON_WORKER_KILLED_BY_SIGNAL, "run", "died", "look", "p");
  failure.set_signal("SIGSEGV");
  failure.add_evidence("last line");
  const auto back = from_status(to_status(failure));
  CHECK(back.reason() == v1::REASON_WORKER_KILLED_BY_SIGNAL);
  CHECK(back.signal() == "SIGSEGV");
  CHECK(back.evidence(0) == "last line");
  CHECK(reason_code(back.reason()) == "worker_killed_by_signal");
}

TEST_CASE("evidence too long for a gRPC status loses its oldest lines") {
  auto failure = make_failure(v1::REASON_PLUGIN_RAISED, "run", std::string(5000, 'm'));
  for (int i = 0; i < 100; ++i)
    failure.add_evidence("line " + std::to_string(i) + std::string(200, '.'));
  const auto status = to_status(failure);
  CHECK(status.error_details().size() < 7000);
  const auto back = from_status(status);
  CHECK(back.evidence(back.evidence_size() - 1).starts_with("line 99"));
}

TEST_CASE("secrets compare by value and length") {
  CHECK(sys::equal_in_constant_time("abc", "abc"));
  CHECK_FALSE(sys::equal_in_constant_time("abc", "abd"));
  CHECK_FALSE(sys::equal_in_constant_time("abc", "abcd"));
  CHECK(sys::random_bytes(32) != sys::random_bytes(32));
}

namespace {

// A child that has a child, each of which says its number and waits for a
// signal.
pid_t fork_two(int say) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setsid();
  const pid_t below = ::fork();
  const pid_t self = ::getpid();
  [[maybe_unused]] const auto put = ::write(say, &self, sizeof self);
  if (below == 0) ::setsid();
  for (;;) ::pause();
}

}  // namespace

TEST_CASE("everything below a process is found and killed, whatever its session") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = fork_two(ends[1]);
  pid_t said[2];
  REQUIRE(::read(ends[0], &said[0], sizeof(pid_t)) == sizeof(pid_t));
  REQUIRE(::read(ends[0], &said[1], sizeof(pid_t)) == sizeof(pid_t));
  const pid_t below = said[0] == child ? said[1] : said[0];
  CHECK(sys::descendants_of(child) == std::vector<pid_t>{below});
  CHECK(sys::kill_descendants(child) == 1);
  auto process = sys::Pidfd::open(child);
  process.send_signal(SIGKILL);
  CHECK(process.reap()->code == SIGKILL);
  CHECK(sys::descendants_of(child).empty());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a child that a debugger has is not waited for") {
  std::array<int, 2> said{};
  REQUIRE(::pipe(said.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  // Attached, the debugger alone hears of the child's end until it lets go.
  const pid_t debugger = ::fork();
  if (debugger == 0) {
    const char attached = ::ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0 ? 'y' : 'n';
    if (::write(said[1], &attached, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char attached = 'n';
  REQUIRE(::read(said[0], &attached, 1) == 1);
  auto process = sys::Pidfd::open(child);
  REQUIRE(::fcntl(process.fd(), F_SETFL, O_NONBLOCK) == 0);
  process.send_signal(SIGKILL);
  pollfd exited{process.fd(), POLLIN, 0};
  if (attached == 'y') {
    CHECK_FALSE(process.reap().has_value());
  } else {
    WARN("this process may not trace its children");
  }
  ::kill(debugger, SIGKILL);
  ::waitpid(debugger, nullptr, 0);
  REQUIRE(::poll(&exited, 1, 10000) == 1);
  CHECK(process.reap()->code == SIGKILL);
  ::close(said[0]);
  ::close(said[1]);
}

TEST_CASE("a group is signalled as a whole, also when its leader has ended") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t leader = ::fork();
  if (leader == 0) {
    ::setsid();
    if (::fork() == 0) {
      ::close(ends[0]);
      for (;;) ::pause();
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  auto process = sys::Pidfd::open(leader);
  process.reap();
  if (!process.send_signal_to_group(SIGKILL)) {
    WARN("this kernel cannot signal a group by descriptor");
    return;
  }
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 0);  // The last holder of the pipe has ended.
  ::close(ends[0]);
}
