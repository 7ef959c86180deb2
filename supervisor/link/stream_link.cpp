#include "supervisor/link/stream_link.h"

#include <algorithm>

#include "supervisor/sys/json_slice.h"
#include "supervisor/sys/utf8_prefix.h"

namespace supervisor::link {
namespace {

void settle_all(std::vector<PendingCalls::Taken>&& calls, const Failure& why) {
  for (auto& call : calls) call.done(why);
}

/// True when the worker may say `json` there: one JSON value, or nothing.
bool is_json_or_empty(const std::string& json) {
  return json.empty() || sys::json_error(json).empty();
}

// What a worker may tell of a failure: more than any has to say, and less than
// would fill the history and the logs.
constexpr std::size_t max_failure_text = 64u << 10;
constexpr int max_evidence_lines = 200;

void cut_text(std::string& text, std::size_t most) {
  if (text.size() <= most) return;
  text.resize(sys::utf8_prefix(text, most).size());
  text += "... (cut)";
}

// No supervisor lives to make so many; beyond it lies an id that is used again.
constexpr std::uint64_t max_call_id = std::uint64_t{1} << 62;

/// A failure as the worker tells it, less what a worker has no say in.
Failure told_failure(Failure&& failure, const std::string& plugin, v1::Reason otherwise,
                     std::initializer_list<v1::Reason> possible) {
  if (std::find(possible.begin(), possible.end(), failure.reason()) == possible.end()) {
    failure.set_reason(otherwise);
  }
  failure.set_plugin(plugin);
  failure.clear_signal();
  failure.clear_exit_code();
  cut_text(*failure.mutable_message(), max_failure_text);
  cut_text(*failure.mutable_hint(), max_failure_text);
  cut_text(*failure.mutable_step(), 200);
  auto& evidence = *failure.mutable_evidence();
  if (evidence.size() > max_evidence_lines)
    evidence.DeleteSubrange(0, evidence.size() - max_evidence_lines);  // The last tell most.
  for (auto& line : evidence) cut_text(line, max_failure_text / 8);
  return std::move(failure);
}

bool is_sound(const v1::PluginMetadata& metadata) {
  return is_json_or_empty(metadata.fields_json()) && is_json_or_empty(metadata.actions_json()) &&
         is_json_or_empty(metadata.ui_schema_json()) &&
         is_json_or_empty(metadata.navigation_json()) && is_json_or_empty(metadata.pages_json()) &&
         is_json_or_empty(metadata.permissions_json());
}

}  // namespace

StreamLink::StreamLink(LaunchId launch, LinkEvents events, LinkOptions options,
                       std::shared_ptr<DeadlineSweep> sweep)
    : launch_(std::move(launch)),
      events_(std::move(events)),
      options_(options),
      sweep_(std::move(sweep)) {}

StreamLink::~StreamLink() {
  settle_all(pending_.take_all(),
             make_failure(v1::REASON_LINK_LOST, "link", "The link to the worker was given up.", {},
                          launch_.plugin));
}

void StreamLink::load(v1::Load load) {
  v1::SupervisorFrame frame;
  *frame.mutable_load() = std::move(load);
  send(std::move(frame));
}

void StreamLink::change_settings(std::string settings_json) {
  v1::SupervisorFrame frame;
  frame.mutable_settings()->set_settings_json(std::move(settings_json));
  send(std::move(frame));
}

void StreamLink::ping(std::uint64_t nonce) {
  v1::SupervisorFrame frame;
  frame.mutable_ping()->set_nonce(nonce);
  send(std::move(frame));
}

void StreamLink::dump_stacks() {
  v1::SupervisorFrame frame;
  frame.mutable_dump_stacks();
  send(std::move(frame));
}

void StreamLink::cancel(std::uint64_t call_id) {
  v1::SupervisorFrame frame;
  frame.mutable_cancel()->set_call_id(call_id);
  send(std::move(frame));
}

void StreamLink::stop(std::string reason, std::chrono::milliseconds budget) {
  v1::SupervisorFrame frame;
  frame.mutable_stop()->set_reason(std::move(reason));
  frame.mutable_stop()->set_budget_ms(static_cast<std::uint32_t>(budget.count()));
  send(std::move(frame));
}

void StreamLink::send(v1::SupervisorFrame frame) {
  std::shared_ptr<FrameStream> stream;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    stream = stream_;
    if (!stream) {
      if (unsent_.size() < FrameStream::max_queued_frames) unsent_.push_back(std::move(frame));
      return;
    }
  }
  // A full queue drops a ping or a settings change to a worker that has read
  // nothing for long; its supervision ends it for the missing answers.
  stream->send(std::move(frame));
}

void StreamLink::answer_host(v1::HostAnswer answer) {
  v1::SupervisorFrame frame;
  *frame.mutable_host_answer() = std::move(answer);
  send(std::move(frame));
}

void StreamLink::result_safe(std::string job_id) {
  v1::SupervisorFrame frame;
  frame.mutable_result_safe()->set_job_id(std::move(job_id));
  send(std::move(frame));
}

std::uint64_t StreamLink::invoke(Call call, Done done) {
  v1::SupervisorFrame frame;
  auto& invoke = *frame.mutable_invoke();
  invoke.set_kind(call.kind);
  invoke.set_name(call.name);
  invoke.set_params_json(std::move(call.params_json));
  invoke.set_job_id(call.job_id);
  invoke.set_keep_result(call.keep_result);

  std::shared_ptr<FrameStream> stream;
  std::optional<Failure> refused;
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_call_id_;
    if (closed_) {
      refused = closed_;
    } else if (pending_.places_taken() >= options_.max_in_flight ||
               unsent_.size() >= FrameStream::max_queued_frames) {
      refused = make_failure(v1::REASON_QUEUE_FULL, "run",
                             "Plugin \"" + launch_.plugin + "\" has " +
                                 std::to_string(options_.max_in_flight) + " calls waiting already.",
                             "Call again when some of them have been answered.", launch_.plugin);
    } else {
      invoke.set_call_id(id);
      stream = stream_;
      pending_.add(id, std::move(call), std::exchange(done, nullptr));
      if (!stream) unsent_.push_back(std::exchange(frame, {}));
    }
  }
  if (refused) {
    done(std::move(*refused));
    return id;
  }
  sweep_->wake();
  if (stream && !stream->send(std::move(frame))) {
    std::optional<PendingCalls::Taken> unsent;
    {
      const std::lock_guard lock(mutex_);
      unsent = pending_.take(id);
    }
    if (unsent)
      unsent->done(make_failure(
          v1::REASON_QUEUE_FULL, "run",
          "The worker of plugin \"" + launch_.plugin + "\" does not read its calls any more.",
          "Restart the plugin.", launch_.plugin));
  }
  return id;
}

// False when the call was settled before.
bool StreamLink::give_up(std::uint64_t call_id, const Failure& why, Clock::time_point stuck_at) {
  std::optional<PendingCalls::Taken> call;
  {
    const std::lock_guard lock(mutex_);
    call = pending_.take(call_id);
    if (call) pending_.give_up(call_id, call->name, Clock::now(), stuck_at);
  }
  if (!call) return false;
  call->done(why);
  cancel(call_id);
  return true;
}

void StreamLink::abandon(std::uint64_t call_id, const Failure& why) {
  // A caller that hung up is no reason to end a worker: never stuck.
  give_up(call_id, why, Clock::time_point::max());
}

void StreamLink::call_off(std::uint64_t call_id, const Failure& why) {
  if (give_up(call_id, why, Clock::now() + options_.stuck_after)) sweep_->wake();
}

void StreamLink::close(const Failure& why) {
  std::vector<PendingCalls::Taken> calls;
  std::shared_ptr<FrameStream> stream;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) closed_ = why;
    calls = pending_.take_all();
    stream = stream_;
    unsent_.clear();
  }
  settle_all(std::move(calls), why);
  if (stream) stream->end({grpc::StatusCode::CANCELLED, "the supervisor closed the link"});
}

std::uint32_t StreamLink::in_flight() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(pending_.size());
}

bool StreamLink::expire(Clock::time_point now) {
  std::vector<PendingCalls::Taken> expired;
  std::optional<PendingCalls::GivenUp> stuck;
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    expired = pending_.take_expired(now);
    for (const auto& call : expired)
      pending_.give_up(call.id, call.name, now, now + options_.stuck_after);
    stuck = pending_.take_stuck(now);
    more = pending_.may_expire() || pending_.may_get_stuck();
  }
  for (auto& call : expired) {
    call.done(make_failure(
        v1::REASON_DEADLINE_EXCEEDED, "run",
        "Plugin \"" + launch_.plugin + "\" did not answer \"" + call.name + "\" in time.",
        "Raise the call's deadline, or let the plugin answer early and do the work in a thread.",
        launch_.plugin));
    cancel(call.id);
  }
  if (stuck && events_.stuck)
    events_.stuck(stuck->name,
                  std::chrono::duration_cast<std::chrono::milliseconds>(now - stuck->since));
  return more;
}

// What the worker owes, so that its answers find somebody.
void StreamLink::take_owed(const v1::Resumed& resumed) {
  std::vector<std::pair<std::uint64_t, std::pair<Call, Done>>> owed;
  owed.reserve(static_cast<std::size_t>(resumed.calls_size()));
  for (const auto& told : resumed.calls()) {
    OwedAnswer answer;
    if (events_.owed) answer = events_.owed(told);
    if (!answer.done) continue;
    Call call;
    call.name = told.name();
    call.job_id = told.job_id();
    call.deadline = answer.deadline;
    owed.emplace_back(told.call_id(), std::pair(std::move(call), std::move(answer.done)));
  }
  std::vector<Done> unanswered;
  std::optional<Failure> over;
  {
    const std::lock_guard lock(mutex_);
    over = closed_;
    last_call_id_ = std::max(last_call_id_, resumed.last_call_id());
    for (auto& [id, call] : owed) {
      if (over || pending_.known(id)) {
        unanswered.push_back(std::move(call.second));
      } else {
        pending_.add(id, std::move(call.first), std::move(call.second));
      }
    }
  }
  // One id can bring one answer, and a link that was closed meanwhile none.
  const auto why = over ? *over
                        : make_failure(v1::REASON_NOT_ADOPTED, "attach",
                                       "The worker of plugin \"" + launch_.plugin +
                                           "\" owes two calls by one id.",
                                       {}, launch_.plugin);
  for (auto& done : unanswered) done(why);
  sweep_->wake();
}

// Why no worker can take the link now; empty when one can.
std::string StreamLink::refusal() const {
  if (closed_ || lost_) return "this launch is over";
  if (stream_) return "this launch is attached already";
  return {};
}

// What cannot be owed: calls that nobody can have made, or whose ids the calls
// to come would be given as well.
std::string StreamLink::refusal_of(const v1::Resumed& resumed) const {
  if (resumed.loaded().ByteSizeLong() > options_.max_metadata_bytes)
    return "the plugin's metadata are too long";
  if (!is_sound(resumed.loaded().metadata())) return "the plugin's metadata are not JSON";
  if (static_cast<std::uint32_t>(resumed.calls_size()) > options_.max_in_flight)
    return "more calls are owed than can be";
  const auto last = resumed.last_call_id();
  const bool possible = last <= max_call_id &&
                        std::all_of(resumed.calls().begin(), resumed.calls().end(),
                                    [last](const auto& call) { return call.call_id() <= last; });
  return possible ? "" : "calls are owed that cannot have been made";
}

std::string StreamLink::attach(const std::shared_ptr<FrameStream>& stream, const v1::Hello& hello) {
  {
    const std::lock_guard lock(mutex_);
    if (auto why_not = refusal(); !why_not.empty()) return why_not;
  }
  if (hello.has_resumed()) {
    if (auto why_not = refusal_of(hello.resumed()); !why_not.empty()) return why_not;
    // Not before: what is owed becomes jobs, and a worker that is refused must
    // not be able to make any, as often as it tries.
    take_owed(hello.resumed());
  }
  {
    const std::lock_guard lock(mutex_);
    if (auto why_not = refusal(); !why_not.empty()) return why_not;
    stream_ = stream;
    v1::SupervisorFrame welcome;
    welcome.mutable_welcome()->set_max_result_bytes(options_.max_result_bytes);
    welcome.mutable_welcome()->set_pool_threads(options_.pool_threads);
    welcome.mutable_welcome()->set_cancel_grace_ms(
        static_cast<std::uint32_t>(options_.cancel_grace.count()));
    welcome.mutable_welcome()->set_reattach_window_ms(
        static_cast<std::uint32_t>(options_.reattach_window.count()));
    stream->queue(std::move(welcome));
    for (auto& frame : unsent_) stream->queue(std::move(frame));
    unsent_.clear();
  }
  stream->flush();
  if (events_.attached) events_.attached(hello);
  return {};
}

void StreamLink::detach(const FrameStream* stream) {
  {
    const std::lock_guard lock(mutex_);
    if (stream_.get() != stream) return;
    stream_.reset();
    lost_ = true;
  }
  if (events_.lost) events_.lost();
}

Outcome<std::string> StreamLink::outcome_of(v1::Result& result, const std::string& name) const {
  if (result.has_failure()) {
    return told_failure(
        std::move(*result.mutable_failure()), launch_.plugin, v1::REASON_PLUGIN_RAISED,
        {v1::REASON_INVALID_REQUEST, v1::REASON_STOPPING, v1::REASON_RESULT_NOT_JSON,
         v1::REASON_RESULT_TOO_LARGE, v1::REASON_CANCELLED, v1::REASON_NOT_SUPPORTED});
  }
  auto& json = *result.mutable_result_json();
  if (json.size() > options_.max_result_bytes) {
    return make_failure(v1::REASON_RESULT_TOO_LARGE, "run",
                        "The result of \"" + name + "\" of plugin \"" + launch_.plugin + "\" has " +
                            std::to_string(json.size()) + " bytes; the limit is " +
                            std::to_string(options_.max_result_bytes) + ".",
                        {}, launch_.plugin);
  }
  // The worker is not trusted to have sent JSON: it is pasted into an envelope.
  if (const auto error = sys::json_error(json); !error.empty()) {
    return make_failure(
        v1::REASON_RESULT_NOT_JSON, "run",
        "The result of \"" + name + "\" of plugin \"" + launch_.plugin + "\" is not JSON: " + error,
        {}, launch_.plugin);
  }
  return std::move(json);
}

bool StreamLink::receive(v1::WorkerBatch& batch) {
  // Results are taken out under one lock for the whole batch.
  std::vector<std::pair<PendingCalls::Taken, v1::Result*>> results;
  std::vector<std::string> told_jobs;  // Of the progress, while its call is pending.
  bool is_over = false;
  {
    const std::lock_guard lock(mutex_);
    is_over = closed_.has_value();
    for (auto& frame : *batch.mutable_frames()) {
      if (frame.has_progress()) told_jobs.push_back(pending_.job_of(frame.progress().call_id()));
      if (!frame.has_result()) continue;
      // Unknown, expired or answered before: dropped.
      if (auto call = pending_.take(frame.result().call_id())) {
        results.emplace_back(std::move(*call), frame.mutable_result());
      } else {
        pending_.let_go(frame.result().call_id());
      }
    }
  }
  // Everything in the order it was said: the log lines of a call come before
  // its result.
  auto next = results.begin();
  auto told_job = told_jobs.begin();
  bool sound = true;
  for (auto& frame : *batch.mutable_frames()) {
    if (next != results.end() && frame.has_result() && next->second == &frame.result()) {
      next->first.done(outcome_of(*next->second, next->first.name));
      ++next;
    } else if (frame.has_progress()) {
      if (sound && !told_job->empty() && events_.progress)
        events_.progress(*told_job, std::move(*frame.mutable_progress()));
      ++told_job;
    } else if (sound && !frame.has_result() && (!is_over || frame.has_log())) {
      // Of a launch that has ended only the last lines are of interest: they
      // say themselves whose they are.
      sound = receive_frame(frame);
    }
  }
  return sound;
}

bool StreamLink::broken(std::string why) {
  broken_because_ = std::move(why);
  return false;
}

bool StreamLink::receive_loaded(v1::Loaded& loaded, const std::function<void(v1::Loaded)>& event) {
  if (const auto bytes = loaded.ByteSizeLong(); bytes > options_.max_metadata_bytes)
    return broken("it told metadata of " + std::to_string(bytes) + " bytes; at most " +
                  std::to_string(options_.max_metadata_bytes) + " are allowed");
  if (!is_sound(loaded.metadata())) return broken("it told metadata that are not JSON");
  if (event) event(std::move(loaded));
  return true;
}

bool StreamLink::receive_frame(v1::WorkerFrame& frame) {
  switch (frame.frame_case()) {
    case v1::WorkerFrame::kLoaded:
      return receive_loaded(*frame.mutable_loaded(), events_.loaded);
    case v1::WorkerFrame::kMetadataChanged:
      return receive_loaded(*frame.mutable_metadata_changed(), events_.metadata_changed);
    case v1::WorkerFrame::kLoadFailed:
      if (events_.load_failed) {
        events_.load_failed(told_failure(
            std::move(*frame.mutable_load_failed()), launch_.plugin, v1::REASON_IMPORT_FAILED,
            {v1::REASON_NO_PLUGIN_CLASS, v1::REASON_CONSTRUCTOR_FAILED}));
      }
      return true;
    case v1::WorkerFrame::kLog:
      if (events_.log) events_.log(std::move(*frame.mutable_log()));
      return true;
    case v1::WorkerFrame::kEvent:
      if (!is_json_or_empty(frame.event().payload_json()))
        return broken("it sent an event that is not JSON");
      if (events_.event) events_.event(std::move(*frame.mutable_event()));
      return true;
    case v1::WorkerFrame::kPong:
      if (events_.pong) events_.pong(frame.pong());
      return true;
    case v1::WorkerFrame::kHostCall:
      if (events_.host_call) events_.host_call(std::move(*frame.mutable_host_call()));
      return true;
    case v1::WorkerFrame::kTask:
      if (!is_json_or_empty(frame.task().result_json()))
        return broken("it sent a result that is not JSON");
      if (events_.task) events_.task(std::move(*frame.mutable_task()));
      return true;
    case v1::WorkerFrame::kStacks:
      if (events_.stacks) events_.stacks(std::move(*frame.mutable_stacks()->mutable_text()));
      return true;
    case v1::WorkerFrame::kStopped:
      if (events_.stopped) events_.stopped(std::move(*frame.mutable_stopped()));
      return true;
    case v1::WorkerFrame::kHello:
      return broken("it said twice who it is");
    case v1::WorkerFrame::kProgress:
    case v1::WorkerFrame::kResult:
    case v1::WorkerFrame::FRAME_NOT_SET:  // A frame of a later version.
      return true;
  }
  return true;
}

}  // namespace supervisor::link
