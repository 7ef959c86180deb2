// What a link does with a worker's messages, without a worker and gRPC.
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <map>

#include "supervisor/link/launch_register.h"
#include "supervisor/sys/digest.h"

using namespace supervisor;
using namespace supervisor::link;

namespace {

class Written final : public FrameStream {
 public:
  bool send(v1::SupervisorFrame&& frame) override { return queue(std::move(frame)); }
  bool queue(v1::SupervisorFrame&& frame) override {
    frames.push_back(std::move(frame));
    return true;
  }
  void flush() override {}
  void end(const grpc::Status&) override {}

  std::vector<v1::SupervisorFrame> frames;
};

// One launch that waits for its worker.
struct Fixture {
  explicit Fixture() {
    LinkEvents events;
    events.owed = [this](const v1::OwedCall& call) {
      ++told_owed;
      return OwedAnswer{
          .done = [this, job = call.job_id()](const Outcome<std::string>&) { ++settled[job]; }};
    };
    link = std::make_shared<StreamLink>(LaunchId{"sample", 7}, events, LinkOptions{}, sweep);
    launches.add(link, sys::sha256("token"));
  }

  static v1::WorkerBatch hello() {
    v1::WorkerBatch batch;
    auto& hello = *batch.add_frames()->mutable_hello();
    hello.set_protocol_version(1);
    hello.set_plugin("sample");
    hello.set_generation(7);
    hello.set_token("token");
    return batch;
  }
  static v1::WorkerBatch hello_owing(std::uint64_t last_call_id,
                                     const std::map<std::string, std::uint64_t>& jobs) {
    auto batch = hello();
    auto& resumed = *batch.mutable_frames(0)->mutable_hello()->mutable_resumed();
    resumed.set_last_call_id(last_call_id);
    for (const auto& [job, id] : jobs) {
      auto& call = *resumed.add_calls();
      call.set_call_id(id);
      call.set_job_id(job);
    }
    return batch;
  }
  std::string refusal(const v1::WorkerBatch& batch) const {
    return launches.admit(batch, std::make_shared<Written>()).refusal;
  }
  void invoke(const std::string& name) {
    link->invoke({.name = name}, [this, name](const Outcome<std::string>&) { ++settled[name]; });
  }
  void close() const { link->close(make_failure(v1::REASON_WORKER_EXITED, "run", "Over.")); }

  boost::asio::io_context timers;
  std::shared_ptr<DeadlineSweep> sweep = std::make_shared<DeadlineSweep>(timers.get_executor());
  LaunchRegister launches{sweep};
  std::map<std::string, int> settled;  // How often, by job or name.
  int told_owed = 0;
  std::shared_ptr<StreamLink> link;
};

}  // namespace

TEST_CASE("of two calls that a worker owes by one id, each is settled") {
  Fixture f;
  CHECK(f.refusal(f.hello_owing(5, {{"a", 3}, {"b", 3}})).empty());
  f.close();
  CHECK(f.settled == std::map<std::string, int>{{"a", 1}, {"b", 1}});
}

TEST_CASE("a call that a worker says it owes does not displace one that waits for it") {
  Fixture f;
  f.invoke("mine");
  CHECK(f.refusal(f.hello_owing(5, {{"owed", 1}})).empty());
  f.close();
  CHECK(f.settled == std::map<std::string, int>{{"mine", 1}, {"owed", 1}});
}

TEST_CASE("a worker cannot make the ids of calls run out, or owe calls that are yet to be made") {
  Fixture f;
  CHECK_FALSE(f.refusal(f.hello_owing(UINT64_MAX, {})).empty());
  CHECK_FALSE(f.refusal(f.hello_owing(5, {{"a", 6}})).empty());
  CHECK(f.told_owed == 0);
  CHECK(f.refusal(f.hello_owing(5, {{"a", 5}})).empty());
}

TEST_CASE("a worker that is refused leaves no calls behind that it says it owes") {
  Fixture f;
  CHECK(f.refusal(f.hello()).empty());
  CHECK(f.refusal(f.hello_owing(5, {{"a", 1}})) == "this launch is attached already");
  f.close();
  CHECK(f.refusal(f.hello_owing(5, {{"a", 1}})) == "this launch is over");
  CHECK(f.told_owed == 0);
}
