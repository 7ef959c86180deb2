#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "supervisor/jobs/job_book.h"
#include "supervisor/jobs/job_ids.h"
#include "supervisor/jobs/job_state.h"

using namespace supervisor;
using namespace supervisor::jobs;

namespace {

JobBook::Opening background(const std::string& plugin = "p", std::uint64_t generation = 1) {
  JobBook::Opening opening;
  opening.kind = v1::JOB_KIND_BACKGROUND;
  opening.plugin = plugin;
  opening.action = "export";
  opening.requested_by = "someone";
  opening.generation = generation;
  return opening;
}

JobBook::Opening run() {
  auto opening = background();
  opening.kind = v1::JOB_KIND_RUN;
  return opening;
}

v1::TaskReport task(const std::string& id, v1::TaskReport::State state) {
  v1::TaskReport report;
  report.set_id(id);
  report.set_name("fetch");
  report.set_state(state);
  report.set_parent_job_id("parent");
  return report;
}

const Outcome<std::string> result = std::string(R"({"rows":3})");

// Takes what it is told, and remembers it.
class RecordingLink final : public link::WorkerLink {
 public:
  [[nodiscard]] const link::LaunchId& launch() const override { return launch_; }
  void load(v1::Load) override {}
  void change_settings(std::string) override {}
  void ping(std::uint64_t) override {}
  void dump_stacks() override {}
  void stop(std::string, std::chrono::milliseconds) override {}
  void answer_host(v1::HostAnswer) override {}
  void result_safe(std::string) override {}
  std::uint64_t invoke(Call, Done) override { return 0; }
  void abandon(std::uint64_t, const Failure&) override {}
  void call_off(std::uint64_t call_id, const Failure&) override { called_off.push_back(call_id); }
  void close(const Failure&) override {}
  [[nodiscard]] std::uint32_t in_flight() const override { return 0; }

  std::vector<std::uint64_t> called_off;

 private:
  link::LaunchId launch_{"p", 7};
};

struct Fixture {
  events::EventBus bus;
  JobBook book{bus, 3};
};

}  // namespace

TEST_CASE("ids of jobs never repeat, and sort by the time they were made") {
  JobIds ids;
  std::set<std::string> seen;
  std::string before;
  for (int i = 0; i < 20000; ++i) {
    const auto id = ids.next(1764000000000 + i);
    CHECK(id.size() == 18);
    CHECK(is_job_id(id));
    CHECK(id > before);
    before = id;
    seen.insert(id);
  }
  CHECK(seen.size() == 20000);
  std::set<std::string> at_once;
  for (int i = 0; i < 20000; ++i) at_once.insert(ids.next(1764000000000));
  CHECK(at_once.size() == 20000);
}

TEST_CASE("what cannot be an id of a job is none") {
  CHECK(is_job_id("0b7a"));
  CHECK(is_job_id("3fa85f64-5717-4562-b3fc-2c963f66afa6"));
  CHECK_FALSE(is_job_id(""));
  CHECK_FALSE(is_job_id("a/b"));
  CHECK_FALSE(is_job_id("a b"));
  CHECK_FALSE(is_job_id(std::string(65, 'a')));
  CHECK_FALSE(is_job_id(std::string("a\0b", 3)));
}

TEST_CASE("a job is found while it runs, and after it ended until it is written") {
  Fixture f;
  const auto id = f.book.open(background());
  REQUIRE(f.book.find(id));
  CHECK(f.book.find(id)->state() == v1::JOB_STATE_RUNNING);
  CHECK(f.book.find(id)->requested_by() == "someone");
  f.book.settle(id, result);
  REQUIRE(f.book.find(id));
  CHECK(f.book.find(id)->state() == v1::JOB_STATE_SUCCEEDED);
  CHECK(f.book.find(id)->result_json() == R"({"rows":3})");
  CHECK(f.book.find(id)->ended_unix_ms() >= f.book.find(id)->created_unix_ms());
  CHECK(f.book.unwritten(10).size() == 1);
  f.book.wrote(1);
  CHECK_FALSE(f.book.find(id));
}

TEST_CASE("a job ends once") {
  Fixture f;
  const auto id = f.book.open(background());
  f.book.settle(id, make_failure(v1::REASON_PLUGIN_RAISED, "run", "no"));
  f.book.settle(id, result);
  CHECK(f.book.unwritten_count() == 1);
  CHECK(f.book.find(id)->state() == v1::JOB_STATE_FAILED);
  f.book.settle("nothing", result);
  CHECK(f.book.unwritten_count() == 1);
}

TEST_CASE("what was given up is cancelled, all else failed") {
  CHECK(ending_of(make_failure(v1::REASON_CANCELLED, "", "")) == v1::JOB_STATE_CANCELLED);
  CHECK(ending_of(make_failure(v1::REASON_STOPPING, "", "")) == v1::JOB_STATE_CANCELLED);
  for (const auto reason : {v1::REASON_DEADLINE_EXCEEDED, v1::REASON_WORKER_KILLED_BY_SIGNAL,
                            v1::REASON_PLUGIN_RAISED, v1::REASON_NOT_ADOPTED})
    CHECK(ending_of(make_failure(reason, "", "")) == v1::JOB_STATE_FAILED);
}

TEST_CASE("the result of a run is its caller's alone") {
  Fixture f;
  const auto id = f.book.open(run());
  f.book.settle(id, result);
  CHECK(f.book.find(id)->result_json().empty());
  CHECK(f.book.find(id)->state() == v1::JOB_STATE_SUCCEEDED);
}

TEST_CASE("runs beyond the bound are dropped and counted, background jobs never") {
  Fixture f;
  for (int i = 0; i < 5; ++i) f.book.settle(f.book.open(run()), result);
  CHECK(f.book.unwritten_count() == 3);
  CHECK(f.book.dropped() == 2);
  f.book.settle(f.book.open(background()), result);
  CHECK(f.book.unwritten_count() == 4);
  CHECK(f.book.dropped() == 2);
}

TEST_CASE("the history is told when there is something to write, not of each job") {
  Fixture f;
  int told = 0;
  f.book.when_unwritten([&] { ++told; });
  f.book.settle(f.book.open(run()), result);
  f.book.settle(f.book.open(run()), result);
  CHECK(told == 1);
  f.book.wrote(2);
  f.book.settle(f.book.open(run()), result);
  CHECK(told == 2);
}

TEST_CASE("what the database cannot take is made harmless") {
  Fixture f;
  auto opening = background();
  opening.action = std::string("a\0b", 3) + "\xff";
  opening.requested_by = std::string(5000, 'x');
  const auto id = f.book.open(std::move(opening));
  f.book.progress(id, 0.5, std::string("\0\n\xc3", 3));
  auto failure = make_failure(v1::REASON_PLUGIN_RAISED, "run", std::string("x\0y", 3));
  failure.add_evidence(std::string("\0", 1));
  f.book.settle(id, failure);
  const auto job = f.book.find(id);
  REQUIRE(job);
  for (const auto& text :
       {job->action(), job->message(), job->failure().message(), job->failure().evidence(0)})
    CHECK(text.find('\0') == std::string::npos);
  CHECK(job->requested_by().size() < 300);
}

TEST_CASE("progress stays between nothing and all, and is told to watchers") {
  Fixture f;
  std::vector<std::string> seen;
  f.bus.watch([&](const v1::WatchEvent& event) {
    seen.push_back(v1::JobState_Name(event.job_changed().job().state()) + " " +
                   std::to_string(event.job_changed().job().fraction()).substr(0, 3));
    CHECK(event.job_changed().job().result_json().empty());
  });
  const auto id = f.book.open(background());
  f.book.progress(id, 0.4, "reading");
  f.book.progress(id, 7, "");
  f.book.progress(id, -1, "");
  f.book.progress(id, std::nan(""), "");
  f.book.settle(id, result);
  f.book.progress(id, 0.9, "late");
  CHECK(seen == std::vector<std::string>{"JOB_STATE_RUNNING 0.0", "JOB_STATE_RUNNING 0.4",
                                         "JOB_STATE_RUNNING 1.0", "JOB_STATE_RUNNING 0.0",
                                         "JOB_STATE_RUNNING 0.0", "JOB_STATE_SUCCEEDED 0.0"});
}

TEST_CASE("a cancel reaches the call that carries the job, also when it came first") {
  Fixture f;
  const auto link = std::make_shared<RecordingLink>();
  const auto carried = f.book.open(background());
  f.book.carry(carried, link, 11);
  CHECK(f.book.cancel(carried));
  CHECK(link->called_off == std::vector<std::uint64_t>{11});
  CHECK(f.book.find(carried)->generation() == 7);

  const auto early = f.book.open(background());
  CHECK(f.book.cancel(early));
  f.book.carry(early, link, 12);
  CHECK(link->called_off == std::vector<std::uint64_t>{11, 12});
  CHECK_FALSE(f.book.cancel("nothing"));
}

TEST_CASE("who waits for a job hears of its end, and need not wait for it") {
  Fixture f;
  const auto id = f.book.open(background());
  int heard = 0;
  const auto waits = f.book.when_over(id, [&](const v1::Job& job) {
    CHECK(job.result_json() == R"({"rows":3})");
    ++heard;
  });
  const auto leaves = f.book.when_over(id, [&](const v1::Job&) { heard += 100; });
  CHECK(waits != leaves);
  f.book.stop_waiting(id, leaves);
  f.book.settle(id, result);
  CHECK(heard == 1);
  CHECK(f.book.when_over(id, [](const v1::Job&) {}) == 0);
}

TEST_CASE("tasks are jobs, and end with their worker") {
  Fixture f;
  f.book.report_task("p", 3, task("t-1", v1::TaskReport::STATE_QUEUED));
  CHECK(f.book.find("t-1")->state() == v1::JOB_STATE_QUEUED);
  CHECK(f.book.find("t-1")->requested_by() == "job:parent");
  CHECK(f.book.unwritten_count() == 1);
  f.book.report_task("p", 3, task("t-1", v1::TaskReport::STATE_RUNNING));
  CHECK(f.book.find("t-1")->state() == v1::JOB_STATE_RUNNING);

  SECTION("a task that succeeds has its result") {
    auto report = task("t-1", v1::TaskReport::STATE_SUCCEEDED);
    report.set_result_json("[1]");
    f.book.report_task("p", 3, std::move(report));
    CHECK(f.book.find("t-1")->state() == v1::JOB_STATE_SUCCEEDED);
    CHECK(f.book.find("t-1")->result_json() == "[1]");
    CHECK(f.book.unwritten_count() == 2);
  }
  SECTION("the end of the worker is theirs") {
    const auto crash = make_failure(v1::REASON_WORKER_KILLED_BY_SIGNAL, "run", "SIGSEGV");
    f.book.end_tasks("p", 2, crash);
    CHECK(f.book.find("t-1")->state() == v1::JOB_STATE_RUNNING);
    f.book.end_tasks("p", 3, crash);
    CHECK(f.book.find("t-1")->state() == v1::JOB_STATE_FAILED);
    CHECK(f.book.find("t-1")->failure().message() == "SIGSEGV");
  }
  SECTION("a worker has no say in what is not its own") {
    f.book.report_task("other", 3, task("t-1", v1::TaskReport::STATE_FAILED));
    f.book.report_task("p", 4, task("t-1", v1::TaskReport::STATE_FAILED));
    CHECK(f.book.find("t-1")->state() == v1::JOB_STATE_RUNNING);
    const auto job = f.book.open(background());
    f.book.report_task("p", 1, task(job, v1::TaskReport::STATE_FAILED));
    CHECK(f.book.find(job)->state() == v1::JOB_STATE_RUNNING);
    f.book.report_task("p", 3, task("no id", v1::TaskReport::STATE_QUEUED));
    f.book.report_task("p", 3, task("never-began", v1::TaskReport::STATE_SUCCEEDED));
    CHECK_FALSE(f.book.find("no id"));
    CHECK_FALSE(f.book.find("never-began"));
    CHECK_FALSE(f.book.cancel("t-1"));
  }
}

TEST_CASE("a worker has so many tasks at once, and others as many") {
  Fixture f;
  const auto report = [&f](const std::string& plugin, int number, v1::TaskReport::State state) {
    f.book.report_task(plugin, 3, task(plugin + "-" + std::to_string(number), state));
  };
  constexpr int most = 1100;
  for (int i = 0; i <= most; ++i) report("p", i, v1::TaskReport::STATE_QUEUED);
  CHECK(f.book.find("p-" + std::to_string(most - 1)));
  CHECK_FALSE(f.book.find("p-" + std::to_string(most)));
  report("q", 0, v1::TaskReport::STATE_QUEUED);
  CHECK(f.book.find("q-0"));
  // The place of one that has ended is another's, once.
  report("p", 0, v1::TaskReport::STATE_SUCCEEDED);
  report("p", most, v1::TaskReport::STATE_QUEUED);
  report("p", most + 1, v1::TaskReport::STATE_QUEUED);
  CHECK(f.book.find("p-" + std::to_string(most)));
  CHECK_FALSE(f.book.find("p-" + std::to_string(most + 1)));
  f.book.end_tasks("p", 3, make_failure(v1::REASON_WORKER_EXITED, "run", "It has ended."));
  for (int i = 0; i <= most; ++i) report("p", 2000 + i, v1::TaskReport::STATE_QUEUED);
  CHECK(f.book.find("p-" + std::to_string(2000 + most - 1)));
  CHECK_FALSE(f.book.find("p-" + std::to_string(2000 + most)));
}

TEST_CASE("a job of an earlier supervisor goes on when it is adopted, and fails otherwise") {
  Fixture f;
  for (const auto* id : {"kept", "lost", "elsewhere"}) {
    v1::Job job;
    job.set_id(id);
    job.set_plugin(id == std::string("elsewhere") ? "q" : "p");
    job.set_action("export");
    job.set_kind(v1::JOB_KIND_BACKGROUND);
    job.set_state(v1::JOB_STATE_RUNNING);
    job.set_generation(4);
    job.set_created_unix_ms(1764000000000);
    job.set_started_unix_ms(1764000000000);
    f.book.remember(std::move(job));
  }
  CHECK(f.book.unfinished("p", 4).size() == 2);
  CHECK(f.book.unfinished("p", 5).empty());
  CHECK(f.book.unadopted_plugins() == std::set<std::string>{"p", "q"});
  f.book.adopt("kept", "p", 4, "export", v1::JOB_KIND_BACKGROUND);
  f.book.adopt("a-run", "p", 4, "count", v1::JOB_KIND_RUN);
  f.book.fail_unadopted("p");
  CHECK(f.book.find("kept")->state() == v1::JOB_STATE_RUNNING);
  CHECK(f.book.find("a-run")->kind() == v1::JOB_KIND_RUN);
  CHECK(f.book.find("lost")->state() == v1::JOB_STATE_FAILED);
  CHECK(f.book.find("lost")->failure().reason() == v1::REASON_NOT_ADOPTED);
  CHECK(f.book.find("elsewhere")->state() == v1::JOB_STATE_RUNNING);
  const auto crash = make_failure(v1::REASON_WORKER_KILLED_BY_SIGNAL, "run", "SIGSEGV");
  f.book.fail_unadopted("q", &crash);
  CHECK(f.book.find("elsewhere")->failure().message() == "SIGSEGV");
  f.book.settle("kept", result);
  CHECK(f.book.find("kept")->state() == v1::JOB_STATE_SUCCEEDED);
  CHECK(f.book.find("kept")->created_unix_ms() == 1764000000000);
}

TEST_CASE("the list is newest first, of one plugin or of all, running or not") {
  Fixture f;
  const auto first = f.book.open(background("p"));
  const auto second = f.book.open(background("q"));
  f.book.settle(first, result);
  const auto all = f.book.list("", false);
  REQUIRE(all.size() == 2);
  CHECK(all[0].id() == std::max(first, second));
  CHECK(f.book.list("p", false).size() == 1);
  REQUIRE(f.book.list("", true).size() == 1);
  CHECK(f.book.list("", true)[0].id() == second);
}

TEST_CASE("many threads begin and end jobs at once") {
  events::EventBus bus;
  JobBook book(bus, 1000000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        const auto id = book.open(i % 2 == 0 ? run() : background());
        book.progress(id, 0.5, "half");
        book.settle(id, result);
      }
    });
  std::size_t written = 0;
  while (written < 8000) {
    const auto pages = book.unwritten(500);
    book.wrote(pages.size());
    written += pages.size();
  }
  for (auto& thread : threads) thread.join();
  CHECK(written == 8000);
  CHECK(book.list("", false).empty());
}
