// The link with real workers: the real LinkServer, and a Python process that
// runs the real shim.
#include "tests/unit/link_fixture.h"

namespace {

using namespace link_fixture;

const char* const echo = R"py(
import os, sys, threading, time
gate = threading.Event()

class Plugin:
    name = "Echo"
    fields = [{"id": "limit", "type": "number", "default": 5}]
    actions = [{"id": "echo", "label": "Echo"}]

    def run(self, action, params, context):
        if action == "echo":
            return {"params": params, "settings": context["settings"]}
        if action == "value":
            return 42
        if action == "where":
            return {"main": threading.current_thread() is threading.main_thread(),
                    "pid": os.getpid()}
        if action == "wait":
            return {"opened": gate.wait(30),
                    "main": threading.current_thread() is threading.main_thread()}
        if action == "open":
            gate.set()
            return {"main": threading.current_thread() is threading.main_thread()}
        if action == "spin":
            while True: pass
        if action == "raise":
            raise ValueError("no such thing")
        if action == "exit":
            sys.exit(7)
        if action == "big":
            return {"data": "x" * params["size"]}
        if action == "date":
            import datetime
            return {"items": [1, {"when": datetime.datetime.now()}]}
        if action == "nan":
            return {"a": float("nan")}
        if action == "deep":
            value = []
            for _ in range(100000): value = [value]
            return {"v": value}
        if action == "circle":
            value = {}
            value["self"] = value
            return value
        if action == "surrogate":
            return {"text": "\ud800"}
        if action == "log":
            context["logger"].warning("told %s", "you")
            context["emit_event"]("seen", {"n": 1})
            return {}
        if action == "fork":
            pid = os.fork()
            if pid == 0:
                context["logger"].warning("from the child")
                return {"who": "child"}
            os.waitpid(pid, 0)
            return {"who": "parent"}

    def stop(self, context):
        context["logger"].info("stopping for %s", context["reason"])
)py";

}  // namespace

TEST_CASE("A worker attaches, loads its plugin, answers, and ends when told") {
  Bench bench(echo);
  bench.start();
  CHECK(bench.heard->wait_for("loaded") == "loaded Echo");
  CHECK(bench.run("echo", R"({"a":[1,2]})") == R"({"params":{"a":[1,2]},"settings":{"limit":5}})");
  CHECK(bench.run("value") == R"({"status":"ok","result":42})");
  bench.link()->ping(17);
  bench.heard->wait_for("pong 17");
  bench.link()->change_settings(R"({"limit":9})");
  CHECK(bench.run("echo") == R"({"params":{},"settings":{"limit":9}})");
  CHECK(bench.run("log") == "{}");
  bench.heard->wait_for("log 30 told you");
  bench.heard->wait_for(R"(event seen {"n":1})");
  bench.link()->stop("disable", 5s);
  bench.heard->wait_for("stopped called");
  bench.heard->wait_for("log 20 stopping for disable");
  CHECK(bench.process->wait() == 0);
  bench.heard->wait_for("lost");
  CHECK(bench.heard->count("lost") == 1);
}

TEST_CASE("What a plugin does wrong in a call is a failure of that call") {
  LinkOptions options;
  options.max_result_bytes = 1 << 20;
  Bench bench(echo, options);
  bench.start();
  CHECK(bench.run("raise") == "plugin_raised: ValueError: no such thing");
  CHECK(bench.run("exit") == "plugin_raised: SystemExit: 7");
  CHECK(bench.run("date") == "result_not_json: result.items[1].when: datetime is not JSON");
  CHECK(bench.run("nan") == "result_not_json: result.a: nan is not JSON");
  CHECK(bench.run("deep") == "result_not_json: result: nested too deeply for JSON");
  CHECK(bench.run("circle") == "result_not_json: result.self: refers back to what holds it");
  CHECK(bench.run("surrogate") == "{\"text\":\"\uFFFD\"}");
  CHECK(bench.run("big", R"({"size":52428800})") ==
        "result_too_large: The result has 52428811 bytes; the limit is 1048576.");
  CHECK(bench.run("fork") == R"({"who":"parent"})");
  CHECK(bench.heard->count("log 30 from the child") == 0);
  const auto resource = bench.settled(bench.begin("x", "{}", patience, v1::CALL_KIND_RESOURCE));
  CHECK(resource.error().reason() == v1::REASON_NOT_SUPPORTED);
  CHECK(bench.run("value") == R"({"status":"ok","result":42})");
}

TEST_CASE("A result of 50 MB arrives when the limits allow it") {
  LinkOptions options;
  options.max_result_bytes = 60u << 20;
  Bench bench(echo, options);
  bench.start();
  CHECK(bench.run("big", R"({"size":52428800})").size() == 52428811);
}

TEST_CASE("run executes on the main thread, and a long call does not block a short one") {
  Bench bench(echo);
  bench.start();
  for (int i = 0; i < 50; ++i) {
    CHECK(bench.run("where").find(R"("main":true)") != std::string::npos);
  }
  auto waiting = bench.begin("wait");
  CHECK(bench.run("open") == R"({"main":false})");
  CHECK(Bench::words(Bench::settled(std::move(waiting))) == R"({"opened":true,"main":true})");
}

TEST_CASE("Many calls at once are each answered with their own result") {
  Bench bench(echo);
  bench.start();
  std::vector<std::future<Outcome<std::string>>> calls;
  for (int i = 0; i < 500; ++i) {
    calls.push_back(bench.begin("echo", "{\"n\":" + std::to_string(i) + "}"));
  }
  for (int i = 0; i < 500; ++i) {
    const auto outcome = Bench::settled(std::move(calls[static_cast<std::size_t>(i)]));
    CHECK(Bench::words(outcome) ==
          "{\"params\":{\"n\":" + std::to_string(i) + "},\"settings\":{\"limit\":5}}");
  }
  CHECK(bench.link()->in_flight() == 0);
}

TEST_CASE("A call without an answer is settled at its deadline, and pings still are answered") {
  Bench bench(echo);
  bench.start();
  const auto begun = std::chrono::steady_clock::now();
  auto spinning = bench.begin("spin", "{}", 200ms);
  bench.link()->ping(1);
  bench.heard->wait_for("pong 1");
  const auto outcome = Bench::settled(std::move(spinning));
  REQUIRE(outcome.has_error());
  CHECK(outcome.error().reason() == v1::REASON_DEADLINE_EXCEEDED);
  CHECK(std::chrono::steady_clock::now() - begun >= 200ms);
  // The main thread is lost to the loop; the pool still answers.
  CHECK(bench.run("value") == R"({"status":"ok","result":42})");
}

TEST_CASE("A worker that is stopped while it is busy still runs the plugin's stop") {
  Bench bench(echo);
  bench.start();
  auto waiting = bench.begin("wait");
  CHECK(bench.run("value") == R"({"status":"ok","result":42})");
  bench.link()->stop("restart", 5s);
  bench.heard->wait_for("stopped called");
  CHECK(bench.process->wait() == 0);
  bench.link()->close(make_failure(v1::REASON_STOPPING, "stop", "gone"));
  CHECK(Bench::words(Bench::settled(std::move(waiting))) ==
        "cancelled: nobody waits for this call any more");
}

TEST_CASE("When a worker is killed its link is lost, and its calls wait for a verdict") {
  Bench bench(echo);
  bench.start();
  auto waiting = bench.begin("wait");
  bench.process->kill();
  bench.heard->wait_for("lost");
  CHECK(waiting.wait_for(0s) == std::future_status::timeout);
  CHECK(bench.link()->in_flight() == 1);
  bench.link()->close(make_failure(v1::REASON_WORKER_KILLED_BY_SIGNAL, "run", "SIGKILL"));
  CHECK(Bench::words(Bench::settled(std::move(waiting))) == "worker_killed_by_signal: SIGKILL");
  CHECK(bench.run("echo") == "worker_killed_by_signal: SIGKILL");
}

TEST_CASE("Calls beyond the limit are refused while others wait") {
  LinkOptions options;
  options.max_in_flight = 2;
  Bench bench(echo, options);
  bench.start();
  auto first = bench.begin("wait");
  auto second = bench.begin("wait");
  const auto third = Bench::settled(bench.begin("echo"));
  REQUIRE(third.has_error());
  CHECK(third.error().reason() == v1::REASON_QUEUE_FULL);
}

TEST_CASE("An abandoned call is settled at once, and its answer is dropped") {
  Bench bench(echo);
  bench.start();
  std::promise<Outcome<std::string>> promise;
  auto settled = promise.get_future();
  link::WorkerLink::Call call;
  call.name = "wait";
  call.params_json = "{}";
  const auto id = bench.link()->invoke(std::move(call), [&](Outcome<std::string> outcome) {
    promise.set_value(std::move(outcome));
  });
  bench.link()->abandon(id, make_failure(v1::REASON_CANCELLED, "run", "given up"));
  CHECK(Bench::words(Bench::settled(std::move(settled))) == "cancelled: given up");
  bench.link()->abandon(id, make_failure(v1::REASON_CANCELLED, "run", "again"));
  bench.run("open");
  CHECK(bench.run("value") == R"({"status":"ok","result":42})");
}

TEST_CASE("A worker with the wrong token is refused") {
  Bench bench(echo);
  bench.process.emplace(bench.socket(), "sample", "not the token");
  bench.expectation->set_pid(bench.process->pid());
  CHECK(WEXITSTATUS(bench.process->wait()) == 3);
  CHECK(bench.heard->count("attached") == 0);
}

TEST_CASE("A process that is not the launched one is not let in, whatever token it has") {
  Bench bench(echo);
  bench.expectation->set_pid(::getpid());
  bench.process.emplace(bench.socket(), "sample", bench.token);
  CHECK(WEXITSTATUS(bench.process->wait()) == 3);
  CHECK(bench.heard->count("attached") == 0);
}

TEST_CASE("Garbage on the socket is dropped, and the worker still attaches") {
  Bench bench(echo);
  // Held until the pid is known, then dropped: it is not the worker's.
  const auto stranger = sys::connect_unix(bench.socket());
  const std::string garbage(4096, '\xff');
  REQUIRE(::send(stranger.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL) > 0);
  bench.start();
  char byte = 0;
  CHECK(::recv(stranger.get(), &byte, 1, 0) <= 0);
  CHECK(bench.run("value") == R"({"status":"ok","result":42})");
}

TEST_CASE("Garbage from the right process ends that connection only") {
  Bench bench(echo);
  bench.expectation->set_pid(::getpid());
  const auto connection = sys::connect_unix(bench.socket());
  const std::string garbage(4096, '\xff');
  REQUIRE(::send(connection.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL) > 0);
  char buffer[4096];
  ssize_t got = 0;
  do {
    got = ::recv(connection.get(), buffer, sizeof buffer, 0);
  } while (got > 0);
  CHECK(got <= 0);
  bench.start();
  CHECK(bench.run("value") == R"({"status":"ok","result":42})");
}

TEST_CASE("Code that cannot be imported says why and what is missing") {
  Bench bench("import dispatcharr.settings\n");
  bench.launch();
  bench.load();
  const auto told = bench.heard->wait_for("load_failed");
  CHECK(told.starts_with(
      "load_failed import_failed ModuleNotFoundError: No module named 'dispatcharr'"));
  CHECK(told.find("Dispatcharr (Django) runtime profile") != std::string::npos);
  bench.link()->stop("shutdown", 1s);
  bench.heard->wait_for("stopped");
  CHECK(bench.process->wait() == 0);
}

TEST_CASE("Fields that are computed are told again after the settings changed") {
  Bench bench(R"py(
class Plugin:
    name = "Dynamic"
    settings = 0
    @property
    def fields(self):
        Plugin.settings += 1
        return [{"id": f"f{Plugin.settings}", "type": "string", "default": object}, {"id": "ok"}] \
            if Plugin.settings == 1 else [{"id": f"f{Plugin.settings}", "type": "string"}]
    @property
    def navigation(self):
        raise RuntimeError("none today")
    def run(self, action, params, context): return context["settings"]
)py");
  bench.start();
  bench.heard->wait_for("warning fields[0].default: type is not JSON");
  bench.heard->wait_for("warning navigation: raised RuntimeError: none today");
  bench.link()->change_settings("{}");
  bench.heard->wait_for(R"(changed [{"id":"f2","type":"string"}])");
}

TEST_CASE("A plugin's signal handler runs while its worker waits, and may end it") {
  Bench bench(R"py(
import signal, sys
class Plugin:
    name = "Signals"
    def run(self, action, params, context):
        logger = context["logger"]
        signal.signal(signal.SIGUSR1, lambda *_: logger.info("heard it"))
        signal.signal(signal.SIGUSR2, lambda *_: sys.exit(5))
        return {}
)py");
  bench.start();
  REQUIRE(bench.run("install") == "{}");
  ::kill(bench.process->pid(), SIGUSR1);
  bench.heard->wait_for("log 20 heard it");
  CHECK(bench.run("install") == "{}");
  ::kill(bench.process->pid(), SIGUSR2);
  const int status = bench.process->wait();
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 5);
}

TEST_CASE("A worker whose supervisor is gone runs the plugin's stop and ends") {
  Bench bench(R"py(
import os
class Plugin:
    name = "Orphan"
    def run(self, action, params, context): return {}
    def stop(self):
        with open(os.path.join(os.path.dirname(__file__), "stopped"), "w") as file:
            file.write("yes")
)py");
  bench.start();
  bench.link()->close(make_failure(v1::REASON_SHUTTING_DOWN, "link", "gone"));
  CHECK(WIFEXITED(bench.process->wait()));
  std::ifstream told(bench.plugin_dir() / "stopped");
  std::string text;
  told >> text;
  CHECK(text == "yes");
}
