// What the tests of the link share: a LinkServer with one plugin, and the
// Python process that runs it with the real shim.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "supervisor/link/link_server.h"
#include "supervisor/sys/random.h"
#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unix_socket.h"

namespace link_fixture {

using namespace supervisor;
using namespace std::chrono_literals;
using link::LinkEvents;
using link::LinkOptions;
using link::LinkServer;

constexpr auto patience = 20s;

/// A directory that goes away with the test.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "link-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) sys::throw_errno("mkdtemp");
    path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// What came over the link, in words, to be waited for.
class Heard {
 public:
  void say(const std::string& what) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(what);
    changed_.notify_all();
  }
  /// Waits for a line that begins with `start` and returns it.
  std::string wait_for(const std::string& start) {
    std::unique_lock lock(mutex_);
    std::string found;
    const bool came = changed_.wait_for(lock, patience, [&] {
      for (const auto& line : lines_) {
        if (line.starts_with(start)) {
          found = line;
          return true;
        }
      }
      return false;
    });
    if (!came) {
      std::string all;
      for (const auto& line : lines_) all += "\n  " + line;
      FAIL("\"" << start << "\" never came; what came:" << all);
    }
    return found;
  }
  std::size_t count(const std::string& start) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(
        lines_.begin(), lines_.end(), [&](const auto& line) { return line.starts_with(start); }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

inline LinkEvents events_into(const std::shared_ptr<Heard>& heard) {
  LinkEvents events;
  events.attached = [heard](const v1::Hello& hello) { heard->say("attached " + hello.plugin()); };
  events.loaded = [heard](const v1::Loaded& loaded) {
    heard->say("loaded " + loaded.metadata().name());
    for (const auto& warning : loaded.warnings()) heard->say("warning " + warning);
  };
  events.load_failed = [heard](const Failure& failure) {
    heard->say("load_failed " + reason_code(failure.reason()) + " " + failure.message() + " | " +
               failure.hint());
  };
  events.metadata_changed = [heard](const v1::Loaded& loaded) {
    heard->say("changed " + loaded.metadata().fields_json());
  };
  events.log = [heard](const v1::LogBatch& batch) {
    for (const auto& line : batch.lines()) {
      heard->say("log " + std::to_string(line.level()) + " " + line.text());
    }
  };
  events.event = [heard](const v1::EmittedEvent& event) {
    heard->say("event " + event.name() + " " + event.payload_json());
  };
  events.pong = [heard](const v1::Pong& pong) {
    heard->say("pong " + std::to_string(pong.nonce()));
  };
  events.stopped = [heard](const v1::Stopped& stopped) {
    heard->say(std::string("stopped ") + (stopped.called() ? "called " : "") +
               stopped.failure().message());
  };
  events.cut = [heard](const std::string& why) { heard->say("cut " + why); };
  events.lost = [heard] { heard->say("lost"); };
  return events;
}

/// A worker process, killed with the test.
class Process {
 public:
  Process(const std::filesystem::path& socket, const std::string& plugin, const std::string& token,
          std::uint64_t generation = 1) {
    int pipe[2];
    sys::checked("pipe2", [&] { return ::pipe2(pipe, O_CLOEXEC); });
    const sys::UniqueFd read_end(pipe[0]);
    sys::UniqueFd write_end(pipe[1]);
    sys::checked("write", [&] { return ::write(write_end.get(), token.data(), token.size()); });
    write_end.reset();
    const std::string script = std::string(WORKER_SHIM_DIR) + "/start_worker.py";
    const std::string number = std::to_string(generation);
    std::vector<std::string> arguments{
        "/usr/bin/python3", "-u",   script,       "--socket", socket.string(), "--plugin", plugin,
        "--generation",     number, "--token-fd", "3"};
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::string environment = "PATH=/usr/bin:/bin";
    char* envp[] = {environment.data(), nullptr};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, read_end.get(), 3);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addchdir_np(&actions, "/");
    const int error = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), envp);
    ::posix_spawn_file_actions_destroy(&actions);
    REQUIRE(error == 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void kill() const { ::kill(pid_, SIGKILL); }
  /// The exit status, as waitpid gives it.
  int wait() {
    auto ended = std::async(std::launch::async, [pid = pid_] {
      int status = 0;
      ::waitpid(pid, &status, 0);
      return status;
    });
    if (ended.wait_for(patience) != std::future_status::ready) {
      ::kill(pid_, SIGKILL);
      ended.wait();
      pid_ = 0;
      FAIL("the worker did not end");
    }
    pid_ = 0;
    return ended.get();
  }

 private:
  pid_t pid_ = 0;
};

/// A LinkServer with one plugin, and the worker that runs it.
class Bench {
 public:
  explicit Bench(const std::string& code, LinkOptions options = {})
      : work_(boost::asio::make_work_guard(io_)), server_(io_.get_executor(), options) {
    std::filesystem::create_directories(plugin_dir());
    std::ofstream(plugin_dir() / "plugin.py") << code;
    expectation =
        server_.expect({"sample", 1}, scratch_.path() / "link.sock", token, events_into(heard));
    thread_ = std::thread([this] { io_.run(); });
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() {
    process.reset();
    expectation.reset();
    io_.stop();
    thread_.join();
  }

  [[nodiscard]] std::filesystem::path plugin_dir() const { return scratch_.path() / "sample"; }
  [[nodiscard]] std::filesystem::path socket() const { return expectation->socket_path(); }
  [[nodiscard]] std::shared_ptr<link::WorkerLink> link() const { return expectation->link(); }

  void launch() {
    process.emplace(socket(), "sample", token);
    expectation->set_pid(process->pid());
  }
  void load(const std::string& settings = "{}") {
    v1::Load load;
    load.set_key("sample");
    load.set_directory(plugin_dir());
    load.set_folder_name("sample");
    load.set_plugins_dir(scratch_.path());
    load.set_settings_json(settings);
    load.set_legacy(true);
    link()->load(load);
  }
  /// Launches, loads, and waits until the plugin answers.
  void start() {
    launch();
    load();
    heard->wait_for("loaded");
  }
  std::future<Outcome<std::string>> begin(const std::string& action,
                                          const std::string& params = "{}",
                                          std::chrono::milliseconds budget = patience,
                                          v1::CallKind kind = v1::CALL_KIND_RUN) const {
    auto promise = std::make_shared<std::promise<Outcome<std::string>>>();
    link()->invoke(
        {kind, action, params, "", false, link::WorkerLink::Clock::now() + budget},
        [promise](Outcome<std::string> outcome) { promise->set_value(std::move(outcome)); });
    return promise->get_future();
  }
  static Outcome<std::string> settled(std::future<Outcome<std::string>> call) {
    REQUIRE(call.wait_for(patience) == std::future_status::ready);
    return call.get();
  }
  /// The result, or the failure in words.
  std::string run(const std::string& action, const std::string& params = "{}") const {
    return words(settled(begin(action, params)));
  }
  static std::string words(const Outcome<std::string>& outcome) {
    if (outcome.has_value()) return outcome.value();
    return reason_code(outcome.error().reason()) + ": " + outcome.error().message();
  }

  const std::string token = sys::random_bytes(32);
  std::shared_ptr<Heard> heard = std::make_shared<Heard>();
  std::optional<Process> process;
  std::unique_ptr<LinkServer::Expectation> expectation;

 private:
  Scratch scratch_;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  LinkServer server_;
  std::thread thread_;
};

}  // namespace link_fixture
