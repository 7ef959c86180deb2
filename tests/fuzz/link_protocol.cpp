// What the supervisor does with the messages of a worker: the check of its
// Hello, the link, jobs, log lines, tasks, calls of the host, metadata.
//
// An input is a sequence of steps: a byte that says what is done, the length of
// what follows in two bytes (lowest first), and that: mostly a WorkerBatch.
#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <deque>

#include "api_gateway/job_json.h"
#include "api_gateway/plugin_json.h"
#include "supervisor/catalog/metadata_rules.h"
#include "supervisor/catalog/utf8.h"
#include "supervisor/host/host_request.h"
#include "supervisor/lifecycle/worker_audience.h"
#include "supervisor/link/launch_register.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/sys/digest.h"
#include "supervisor/sys/json_slice.h"
#include "tests/fuzz/expect.h"

namespace {

using namespace supervisor;
using fuzz::expect;

constexpr auto plugin = "sample";
constexpr std::uint64_t generation = 7;
constexpr std::size_t max_result_bytes = 200;

// What a worker would read, counted and given up.
class Unread final : public link::FrameStream {
 public:
  bool send(v1::SupervisorFrame&& frame) override { return queue(std::move(frame)); }
  bool queue(v1::SupervisorFrame&& frame) override {
    expect(frame.frame_case() != v1::SupervisorFrame::FRAME_NOT_SET, "a frame says something");
    if (is_over) return true;
    return ++queued_ < 64;
  }
  void flush() override {}
  void end(const grpc::Status&) override { is_over = true; }

  bool is_over = false;

 private:
  std::size_t queued_ = 0;
};

// A plugin's supervisor, as far as its worker can reach it.
class Supervised {
 public:
  Supervised()
      : sweep_(std::make_shared<link::DeadlineSweep>(timers().get_executor())), launches_(sweep_) {
    bus_.watch([](const v1::WatchEvent& event) { check(event); });
    log_->look_back(
        1, {}, [](const v1::LogLine& line) { check(line); }, &follower_);
    v1::Job old;
    old.set_id("old");
    old.set_plugin(plugin);
    old.set_generation(generation);
    old.set_kind(v1::JOB_KIND_BACKGROUND);
    jobs_.remember(std::move(old));
    link::LinkOptions options;
    options.max_result_bytes = max_result_bytes;
    options.max_in_flight = 6;
    link_ = std::make_shared<link::StreamLink>(link::LaunchId{plugin, generation}, events(),
                                               options, sweep_);
    launches_.add(link_, token_digest());
    link_->load({});
  }
  Supervised(const Supervised&) = delete;
  Supervised& operator=(const Supervised&) = delete;

  // As when a worker's run has ended.
  ~Supervised() {
    hang_up();
    const auto why = make_failure(v1::REASON_WORKER_EXITED, "run", "It has ended.");
    link_->close(why);
    for (const auto settled : settled_)
      expect(settled == 1, "a call is settled once", std::to_string(settled));
    jobs_.end_tasks(plugin, generation, why);
    jobs_.fail_unadopted(plugin, &why);
    expect(jobs_.unfinished(plugin, generation).empty(), "no job outlives its worker");
    for (const auto& job : jobs_.list({}, false)) check(job);
    timers().poll();
  }

  void step(unsigned what, std::string_view bytes) {
    switch (what % 8) {
      case 0:
        return call(std::string(bytes), what >= 128);
      case 1:
        return hang_up();
      case 2:
        link_->call_off(what / 8, make_failure(v1::REASON_CANCELLED, "run", "Given up."));
        return;
      case 3:
        now_ += std::chrono::seconds(what);
        link_->expire(now_);
        heartbeat_->beat(now_, std::chrono::seconds(what), true);
        return;
      default:
        return hear(bytes);
    }
  }

 private:
  static boost::asio::io_context& timers() {
    static boost::asio::io_context context;
    return context;
  }
  static const std::string& token_digest() {
    static const auto digest = sys::sha256("token");
    return digest;
  }

  void call(std::string name, bool keep_result) {
    const auto index = settled_.size();
    settled_.push_back(0);
    const auto job = jobs_.open({keep_result ? v1::JOB_KIND_BACKGROUND : v1::JOB_KIND_RUN, plugin,
                                 name, "somebody", generation});
    const auto id = link_->invoke(
        {v1::CALL_KIND_RUN, std::move(name), "{}", job, keep_result, now_ + std::chrono::hours(1)},
        [this, index, job](const Outcome<std::string>& outcome) {
          ++settled_[index];
          if (outcome.has_value())
            expect(sys::json_error(*outcome).empty() && outcome->size() <= max_result_bytes,
                   "a result is JSON, and not too large", *outcome);
          jobs_.settle(job, outcome);
        });
    jobs_.carry(job, link_, id);
  }

  // As AttachStream does.
  void hear(std::string_view bytes) {
    v1::WorkerBatch batch;
    if (!batch.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if (!stream_ || stream_->is_over) {
      stream_ = std::make_shared<Unread>();
      attached_ = launches_.admit(batch, stream_).link;
      if (!attached_) return hang_up();
      batch.mutable_frames()->DeleteSubrange(0, 1);
    }
    if (!attached_->receive(batch)) hang_up();
  }
  void hang_up() {
    if (attached_) attached_->detach(stream_.get());
    attached_.reset();
    stream_.reset();
  }

  link::LinkEvents events() {
    const lifecycle::WorkerAudience audience{
        .plugin = plugin,
        .generation = generation,
        .log_book = log_,
        .jobs = jobs_,
        .bus = bus_,
        .host = [this](const v1::HostCall& asked) { ask_host(asked); },
        .events_dropped = [](std::uint64_t count) { expect(count > 0, "some were dropped"); },
        .heartbeat = heartbeat_,
        .call_timeout = std::chrono::seconds(60)};
    auto events = audience.events();
    events.attached = [this](const v1::Hello& hello) {
      if (!hello.has_resumed()) return;
      take_loaded(hello.resumed().loaded());
      for (const auto& call : hello.resumed().calls())
        jobs_.carry(call.job_id(), link_, call.call_id());
    };
    events.loaded = [](const v1::Loaded& loaded) { take_loaded(loaded); };
    events.metadata_changed = events.loaded;
    events.load_failed = [](const Failure& failure) {
      expect(failure.plugin() == plugin, "a failure is the plugin's own");
      expect_json(gateway::error_json(failure));
    };
    events.stacks = [](const std::string& text) {
      expect(catalog::is_utf8(logs::printable_lines(text)), "stacks are UTF-8");
    };
    events.stopped = [](const v1::Stopped&) {};
    events.stuck = [](const std::string&, std::chrono::milliseconds) {};
    events.cut = [](const std::string& why) { expect(!why.empty(), "a cut has a reason"); };
    events.lost = [] {};
    return events;
  }

  // As the plugin's supervision does, and whoever lists it.
  static void take_loaded(const v1::Loaded& loaded) {
    v1::Plugin shown;
    auto& metadata = *shown.mutable_metadata() = loaded.metadata();
    std::vector<std::string> warnings;
    metadata.set_fields_json(catalog::valid_fields(metadata.fields_json(), warnings));
    metadata.set_actions_json(catalog::valid_actions(metadata.actions_json(), warnings));
    shown.mutable_warnings()->Assign(warnings.begin(), warnings.end());
    std::string json;
    gateway::append_plugin(json, shown, "host.example", gateway::Secrets::masked);
    expect_json(json);
    v1::Plugin sent;
    expect(sent.ParseFromString(shown.SerializeAsString()), "a plugin can be sent");
  }

  void ask_host(const v1::HostCall& asked) {
    v1::HostAnswer answer;
    answer.set_call_id(asked.call_id());
    if (auto bad = host::check_params(asked.params_json(), 4096); bad.has_error()) {
      *answer.mutable_failure() = bad.error();
    } else if (asked.method() >= v1::HOST_METHOD_DATA_LIST) {
      host::data_request(static_cast<store::PluginDataRequest::What>(asked.method() % 6), plugin,
                         asked.params_json());
    } else {
      host::text_member(asked.params_json(), "key");
      host::object_member(asked.params_json(), "settings");
    }
    link_->answer_host(std::move(answer));
  }

  static void expect_json(const std::string& json) {
    expect(sys::json_error(json).empty(), "what is shown is JSON", json);
    expect(catalog::is_utf8(json), "what is shown is UTF-8", json);
  }
  static void check(const v1::Job& job) {
    std::string json;
    gateway::append_job(json, job);
    expect_json(json);
    expect(job.plugin() == plugin, "a job is the plugin's own", job.plugin());
  }
  static void check(const v1::LogLine& line) {
    expect(catalog::is_utf8(line.text()) && line.text().find('\n') == std::string::npos,
           "a line of the log is one", line.text());
    expect(line.generation() == generation, "a line is of the worker that said it");
    std::string json;
    gateway::append_log_line(json, line);
    expect_json(json);
  }
  static void check(const v1::WatchEvent& event) {
    v1::WatchEvent sent;
    expect(sent.ParseFromString(event.SerializeAsString()), "an event can be sent");
    if (event.has_plugin_event()) {
      expect(event.plugin_event().plugin() == plugin, "an event is the plugin's own");
      expect_json(event.plugin_event().payload_json());
    }
    if (event.has_job_changed()) check(event.job_changed().job());
  }

  link::WorkerLink::Clock::time_point now_ = link::WorkerLink::Clock::now();
  events::EventBus bus_;
  jobs::JobBook jobs_{bus_, 100};
  std::shared_ptr<logs::LogBook> log_ = std::make_shared<logs::LogBook>();
  std::shared_ptr<lifecycle::Heartbeat> heartbeat_ = std::make_shared<lifecycle::Heartbeat>(
      lifecycle::PulseLimits{},
      lifecycle::Heartbeat::Body{.ping = [this](std::uint64_t nonce) { link_->ping(nonce); },
                                 .has_calls = [this] { return link_->in_flight() > 0; },
                                 .process = [] { return sys::ProcessStat{}; },
                                 .tell = [](v1::Pulse, const lifecycle::PulseVerdict&) {}});
  logs::LogBook::FollowerId follower_ = 0;
  std::deque<unsigned> settled_;  // How often, of each call.
  std::shared_ptr<link::DeadlineSweep> sweep_;
  link::LaunchRegister launches_;
  std::shared_ptr<link::StreamLink> link_;
  std::shared_ptr<Unread> stream_;
  std::shared_ptr<link::StreamLink> attached_;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  spdlog::set_level(spdlog::level::off);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t head = 3;
  Supervised supervised;
  auto input = fuzz::text_of(data, size);
  for (int steps = 0; steps < 32 && input.size() >= head; ++steps) {
    const auto what = static_cast<unsigned char>(input[0]);
    const std::size_t length = static_cast<unsigned char>(input[1]) |
                               std::size_t{static_cast<unsigned char>(input[2])} << 8;
    input.remove_prefix(head);
    const auto bytes = input.substr(0, length);
    input.remove_prefix(bytes.size());
    supervised.step(what, bytes);
  }
  return 0;
}
