// The link with a worker that lies: a client of ours that says what it likes.
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>

#include "plugin_supervisor/v1/worker_link.grpc.pb.h"
#include "supervisor/link/stream_link.h"
#include "tests/unit/link_fixture.h"

namespace {

using namespace link_fixture;

/// Speaks the protocol by hand, from this process.
class Liar {
 public:
  explicit Liar(const Bench& bench) : bench_(bench) {
    bench.expectation->set_pid(::getpid());
    auto connection = sys::connect_unix(bench.socket());
    ::fcntl(connection.get(), F_SETFL, O_NONBLOCK);
    grpc::ChannelArguments arguments;
    arguments.SetMaxSendMessageSize(-1);
    channel_ = grpc::CreateCustomInsecureChannelFromFd("liar", connection.release(), arguments);
    context_.set_deadline(std::chrono::system_clock::now() + patience);
    stream_ = v1::WorkerLink::NewStub(channel_)->Attach(&context_);
  }

  bool say(const v1::WorkerFrame& frame) {
    v1::WorkerBatch batch;
    *batch.add_frames() = frame;
    return stream_->Write(batch);
  }
  bool say(const v1::WorkerBatch& batch) { return stream_->Write(batch); }

  [[nodiscard]] v1::WorkerFrame hello(std::uint32_t version = 1) const {
    v1::WorkerFrame frame;
    frame.mutable_hello()->set_protocol_version(version);
    frame.mutable_hello()->set_plugin("sample");
    frame.mutable_hello()->set_generation(1);
    frame.mutable_hello()->set_token(bench_.token);
    return frame;
  }
  /// The next batch of the supervisor.
  std::optional<v1::SupervisorBatch> hear() {
    v1::SupervisorBatch batch;
    if (!stream_->Read(&batch)) return std::nullopt;
    return batch;
  }
  /// Waits until the supervisor has ended the stream, and says how.
  grpc::StatusCode end() {
    while (hear()) {
    }
    return stream_->Finish().error_code();
  }
  /// Hello, and the Welcome to it.
  void attach() {
    REQUIRE(say(hello()));
    const auto welcome = hear();
    REQUIRE(welcome);
    REQUIRE(welcome->frames(0).has_welcome());
  }
  /// The id of the next call.
  std::uint64_t hear_call() {
    const auto batch = hear();
    REQUIRE(batch);
    REQUIRE(batch->frames(0).has_invoke());
    return batch->frames(0).invoke().call_id();
  }

 private:
  const Bench& bench_;
  grpc::ClientContext context_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerBatch, v1::SupervisorBatch>> stream_;
};

v1::WorkerFrame result(std::uint64_t call, const std::string& json) {
  v1::WorkerFrame frame;
  frame.mutable_result()->set_call_id(call);
  frame.mutable_result()->set_result_json(json);
  return frame;
}

}  // namespace

TEST_CASE("A stream that does not begin with Hello is refused") {
  Bench bench("");
  Liar liar(bench);
  REQUIRE(liar.say(result(1, "{}")));
  CHECK(liar.end() == grpc::StatusCode::UNAUTHENTICATED);
  CHECK(bench.heard->count("attached") == 0);
}

TEST_CASE("An empty first batch is no Hello") {
  Bench bench("");
  Liar liar(bench);
  REQUIRE(liar.say(v1::WorkerBatch()));
  CHECK(liar.end() == grpc::StatusCode::UNAUTHENTICATED);
}

TEST_CASE("Another version of the protocol is refused") {
  Bench bench("");
  Liar liar(bench);
  REQUIRE(liar.say(liar.hello(2)));
  CHECK(liar.end() == grpc::StatusCode::UNAUTHENTICATED);
}

TEST_CASE("A worker that says nothing is refused when its time is up") {
  Bench bench("");
  Liar liar(bench);
  CHECK(liar.end() == grpc::StatusCode::UNAUTHENTICATED);
}

TEST_CASE("A token attaches once: nobody has the link after whose stream has ended") {
  Bench bench("");
  {
    Liar first(bench);
    first.attach();
    Liar second(bench);
    REQUIRE(second.say(second.hello()));
    CHECK(second.end() == grpc::StatusCode::UNAUTHENTICATED);
    CHECK(bench.heard->count("lost") == 0);
  }
  bench.heard->wait_for("lost");
  Liar third(bench);
  REQUIRE(third.say(third.hello()));
  CHECK(third.end() == grpc::StatusCode::UNAUTHENTICATED);
  CHECK(bench.heard->count("attached") == 1);
}

TEST_CASE("A second Hello ends the stream") {
  Bench bench("");
  Liar liar(bench);
  liar.attach();
  REQUIRE(liar.say(liar.hello()));
  CHECK(liar.end() == grpc::StatusCode::INVALID_ARGUMENT);
  bench.heard->wait_for("lost");
}

TEST_CASE("Answers to calls that nobody made, and second answers, are dropped") {
  Bench bench("");
  Liar liar(bench);
  liar.attach();
  auto call = bench.begin("x");
  const auto id = liar.hear_call();
  REQUIRE(liar.say(result(id + 1000, R"("stray")")));
  REQUIRE(liar.say(result(id, R"("first")")));
  REQUIRE(liar.say(result(id, R"("second")")));
  CHECK(Bench::words(Bench::settled(std::move(call))) == R"("first")");
  auto next = bench.begin("y");
  REQUIRE(liar.say(result(liar.hear_call(), R"("next")")));
  CHECK(Bench::words(Bench::settled(std::move(next))) == R"("next")");
}

TEST_CASE("An answer that is not JSON fails the call instead of reaching the caller") {
  Bench bench("");
  Liar liar(bench);
  liar.attach();
  for (const std::string json : {"", "{", R"({"a":1}})", "\xff\xfe", R"({} , "success": true)"}) {
    auto call = bench.begin("x");
    REQUIRE(liar.say(result(liar.hear_call(), json)));
    CHECK(Bench::settled(std::move(call)).error().reason() == v1::REASON_RESULT_NOT_JSON);
  }
}

TEST_CASE(
    "An answer over the limit of results fails the call, one over that of messages the link") {
  LinkOptions options;
  options.max_result_bytes = 1000;
  options.max_message_bytes = 1 << 20;
  Bench bench("", options);
  Liar liar(bench);
  liar.attach();
  auto call = bench.begin("x");
  REQUIRE(liar.say(result(liar.hear_call(), "\"" + std::string(1000, 'x') + "\"")));
  CHECK(Bench::settled(std::move(call)).error().reason() == v1::REASON_RESULT_TOO_LARGE);
  auto next = bench.begin("y");
  liar.say(result(liar.hear_call(), "\"" + std::string(2 << 20, 'x') + "\""));
  CHECK(liar.end() != grpc::StatusCode::OK);
  bench.heard->wait_for("lost");
  CHECK(next.wait_for(0s) == std::future_status::timeout);
  bench.link()->close(make_failure(v1::REASON_LINK_LOST, "run", "lost"));
  CHECK(Bench::words(Bench::settled(std::move(next))) == "link_lost: lost");
}

TEST_CASE("A worker cannot give itself reasons that are the supervisor's") {
  Bench bench("");
  Liar liar(bench);
  liar.attach();
  auto call = bench.begin("x");
  v1::WorkerFrame frame;
  frame.mutable_result()->set_call_id(liar.hear_call());
  auto& failure = *frame.mutable_result()->mutable_failure();
  failure.set_reason(v1::REASON_QUARANTINED);
  failure.set_plugin("another");
  failure.set_signal("SIGKILL");
  REQUIRE(liar.say(frame));
  const auto told = Bench::settled(std::move(call)).error();
  CHECK(told.reason() == v1::REASON_PLUGIN_RAISED);
  CHECK(told.plugin() == "sample");
  CHECK(told.signal().empty());
}

TEST_CASE("Metadata and events that are not JSON end the stream") {
  Bench bench("");
  Liar liar(bench);
  liar.attach();
  v1::WorkerFrame frame;
  frame.mutable_loaded()->mutable_metadata()->set_fields_json("[");
  REQUIRE(liar.say(frame));
  CHECK(liar.end() == grpc::StatusCode::INVALID_ARGUMENT);
  bench.heard->wait_for("lost");
  CHECK(bench.heard->count("loaded") == 0);
}

TEST_CASE("What was wrong with a message is told before the link is lost") {
  LinkOptions options;
  options.max_message_bytes = 1 << 20;
  options.max_batch_frames = 100;
  options.max_metadata_bytes = 1000;
  Bench bench("", options);
  Liar liar(bench);
  liar.attach();
  SECTION("too long") {
    liar.say(result(1, "\"" + std::string(2 << 20, 'x') + "\""));
    CHECK(liar.end() == grpc::StatusCode::RESOURCE_EXHAUSTED);
    CHECK_THAT(bench.heard->wait_for("cut"), Catch::Contains("at most 1048576 are allowed"));
  }
  SECTION("too many frames") {
    v1::WorkerBatch batch;
    for (int i = 0; i <= 100; ++i) batch.add_frames()->mutable_pong();
    REQUIRE(liar.say(batch));
    CHECK(liar.end() == grpc::StatusCode::RESOURCE_EXHAUSTED);
    CHECK_THAT(bench.heard->wait_for("cut"), Catch::Contains("101 frames"));
  }
  SECTION("metadata that are too long") {
    v1::WorkerFrame frame;
    frame.mutable_loaded()->mutable_metadata()->set_description(std::string(1000, 'x'));
    REQUIRE(liar.say(frame));
    CHECK(liar.end() == grpc::StatusCode::INVALID_ARGUMENT);
    CHECK_THAT(bench.heard->wait_for("cut"), Catch::Contains("metadata of 1"));
  }
  SECTION("metadata that are nested too deep") {
    v1::WorkerFrame frame;
    frame.mutable_loaded()->mutable_metadata()->set_pages_json(std::string(100, '[') +
                                                               std::string(100, ']'));
    REQUIRE(liar.say(frame));
    CHECK(liar.end() == grpc::StatusCode::INVALID_ARGUMENT);
    CHECK_THAT(bench.heard->wait_for("cut"), Catch::Contains("not JSON"));
  }
  SECTION("a second Hello") {
    REQUIRE(liar.say(liar.hello()));
    CHECK(liar.end() == grpc::StatusCode::INVALID_ARGUMENT);
    CHECK_THAT(bench.heard->wait_for("cut"), Catch::Contains("twice"));
  }
  bench.heard->wait_for("lost");
  CHECK(bench.heard->count("loaded") == 0);
}

TEST_CASE("A worker that says too much is read from at its rate, and is not cut") {
  LinkOptions options;
  options.rate.frames_per_second = 1000;
  Bench bench("", options);
  Liar liar(bench);
  liar.attach();
  const auto began = std::chrono::steady_clock::now();
  // A second's worth at once is free; two more take two seconds.
  for (int i = 0; i < 30; ++i) {
    v1::WorkerBatch batch;
    for (int j = 0; j < 100; ++j) batch.add_frames()->mutable_pong();
    REQUIRE(liar.say(batch));
  }
  auto call = bench.begin("x");
  REQUIRE(liar.say(result(liar.hear_call(), "{}")));
  CHECK(Bench::words(Bench::settled(std::move(call))) == "{}");
  const auto took = std::chrono::steady_clock::now() - began;
  CHECK(took > 1800ms);
  CHECK(took < 6s);
  CHECK(bench.heard->count("cut") == 0);
  CHECK(bench.heard->count("lost") == 0);
}

TEST_CASE("A worker that is not read from for its rate lets the link be closed at once") {
  LinkOptions options;
  options.rate.bytes_per_second = 1;
  auto bench = std::make_unique<Bench>("", options);
  Liar liar(*bench);
  liar.attach();
  auto call = bench->begin("x");
  REQUIRE(liar.say(result(1000, "\"" + std::string(10'000, 'x') + "\"")));
  bench.reset();
  CHECK(Bench::settled(std::move(call)).error().reason() == v1::REASON_SHUTTING_DOWN);
}

TEST_CASE("A failure that a worker tells is cut to what can be kept") {
  Bench bench("");
  Liar liar(bench);
  liar.attach();
  auto call = bench.begin("x");
  v1::WorkerFrame frame;
  frame.mutable_result()->set_call_id(liar.hear_call());
  auto& failure = *frame.mutable_result()->mutable_failure();
  std::string long_text;
  while (long_text.size() < (1 << 20)) long_text += "\u00e4";
  failure.set_message("m" + long_text);
  failure.set_hint(long_text);
  failure.set_step(long_text);
  for (int i = 0; i < 1000; ++i) failure.add_evidence(std::to_string(i));
  REQUIRE(liar.say(frame));
  const auto told = Bench::settled(std::move(call)).error();
  CHECK(told.message().size() < 70'000);
  CHECK_THAT(told.message(), Catch::EndsWith("\u00e4... (cut)"));
  CHECK(told.hint().size() < 70'000);
  CHECK(told.step().size() < 300);
  CHECK(told.evidence_size() == 200);
  CHECK(told.evidence(199) == "999");
}

TEST_CASE("A link's budget: a second's worth at once, then its rate") {
  using Clock = link::LinkBudget::Clock;
  link::LinkBudget budget({.frames_per_second = 100, .bytes_per_second = 1000});
  const Clock::time_point start(1h);
  CHECK(budget.spend(100, 1000, start) == 0s);
  CHECK(budget.spend(50, 0, start) == 500ms);
  CHECK(budget.spend(0, 100, start) == 500ms);  // Either may be what is waited for.
  CHECK(budget.spend(0, 900, start) == 1s);
  CHECK(budget.spend(1'000'000, 0, start) == link::LinkBudget::longest_wait);
  link::LinkBudget idle({.frames_per_second = 100, .bytes_per_second = 0});
  CHECK(idle.spend(100, 1u << 30, start) == 0s);  // 0 = no limit.
  CHECK(idle.spend(100, 0, start + 1s) == 0s);
  CHECK(idle.spend(150, 0, start + 1h) == 500ms);  // No more than a second's worth is saved up.
}

TEST_CASE("A worker that stops reading fills its queue, and close() still ends it at once") {
  LinkOptions options;
  options.max_in_flight = 100'000;
  Bench bench("", options);
  Liar liar(bench);
  liar.attach();
  std::vector<std::future<Outcome<std::string>>> calls;
  std::size_t refused = 0;
  const std::string params = "\"" + std::string(1000, 'p') + "\"";
  for (int i = 0; i < 90'000 && refused == 0; ++i) {
    auto call = bench.begin("x", params);
    if (call.wait_for(0s) == std::future_status::ready) {
      CHECK(call.get().error().reason() == v1::REASON_QUEUE_FULL);
      ++refused;
    } else {
      calls.push_back(std::move(call));
    }
  }
  CHECK(refused == 1);
  bench.link()->close(make_failure(v1::REASON_STOPPING, "stop", "gone"));
  for (auto& call : calls) CHECK(Bench::words(Bench::settled(std::move(call))) == "stopping: gone");
  bench.heard->wait_for("lost");
}

TEST_CASE("The server ends while a worker is attached and calls wait") {
  auto bench = std::make_unique<Bench>("");
  Liar liar(*bench);
  liar.attach();
  auto call = bench->begin("x");
  liar.hear_call();
  bench.reset();
  CHECK(Bench::settled(std::move(call)).error().reason() == v1::REASON_SHUTTING_DOWN);
}

TEST_CASE("Calls of a link that is simply let go are settled") {
  Bench bench("");
  auto call = bench.begin("x");
  bench.expectation.reset();
  CHECK(Bench::settled(std::move(call)).error().reason() == v1::REASON_LINK_LOST);
}

TEST_CASE("What a launch that has ended still says changes nothing, in itself or in the next") {
  boost::asio::io_context io;
  const auto sweep = std::make_shared<link::DeadlineSweep>(io.get_executor());
  const auto heard = std::make_shared<Heard>();
  auto events = events_into(heard);
  const auto note = [&](const char* what) {
    return [heard, what](const auto&...) { heard->say(what); };
  };
  events.stacks = note("stacks");
  events.progress = note("progress");
  events.host_call = note("host_call");
  events.task = note("task");
  link::StreamLink before({"sample", 1}, events, {}, sweep);
  link::StreamLink now({"sample", 2}, events_into(std::make_shared<Heard>()), {}, sweep);
  std::vector<std::string> settled;
  const auto begin = [&](link::StreamLink& link, const std::string& name) {
    link::WorkerLink::Call call;
    call.name = name;
    call.job_id = name;
    return link.invoke(call, [&settled, name](const Outcome<std::string>& outcome) {
      settled.push_back(name + " " + Bench::words(outcome));
    });
  };
  const auto first = begin(before, "first");
  before.close(make_failure(v1::REASON_WORKER_KILLED_BY_SIGNAL, "run", "It died."));
  // Calls are counted anew in each launch.
  REQUIRE(begin(now, "second") == first);

  v1::WorkerBatch late;
  *late.add_frames() = result(first, "{\"late\":true}");
  late.add_frames()->mutable_loaded()->mutable_metadata()->set_name("Late");
  late.add_frames()->mutable_load_failed()->set_message("late");
  late.add_frames()->mutable_metadata_changed()->mutable_metadata()->set_fields_json("[]");
  late.add_frames()->mutable_event()->set_name("late");
  late.add_frames()->mutable_pong()->set_nonce(1);
  late.add_frames()->mutable_stopped()->set_called(true);
  late.add_frames()->mutable_stacks()->set_text("late");
  late.add_frames()->mutable_progress()->set_call_id(first);
  late.add_frames()->mutable_host_call()->set_call_id(1);
  late.add_frames()->mutable_task()->set_id("late-task");
  late.add_frames()->mutable_log()->add_lines()->set_text("its last line");
  CHECK(before.receive(late));
  CHECK(heard->count("") == 1);
  CHECK(heard->count("log 0 its last line") == 1);
  CHECK(settled == std::vector<std::string>{"first worker_killed_by_signal: It died."});

  v1::WorkerBatch answer;
  *answer.add_frames() = result(first, "{\"mine\":true}");
  CHECK(now.receive(answer));
  CHECK(settled.back() == "second {\"mine\":true}");
  now.close(make_failure(v1::REASON_CANCELLED, "run", "The end."));
}
