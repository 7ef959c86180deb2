// The supervisor's end of one launch's link to its worker.
//
// Owned by the plugin's supervision and by the gRPC stream while one is open.
// Thread-safe: calls come from gRPC threads (the hot path of Run) and from the
// supervision's Asio thread. No method blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "plugin_supervisor/v1/worker_link.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::link {

/// Which start of which plugin.
struct LaunchId {
  std::string plugin;
  std::uint64_t generation = 0;
};

/// Where the answer goes of a call that a worker owes since before this
/// supervisor was started.
struct OwedAnswer {
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  std::function<void(Outcome<std::string>)> done;
};

/// What a worker says, in the order it says it. Called on gRPC threads, one
/// call at a time per link; implementations post onward and return at once.
struct LinkEvents {
  std::function<void(const v1::Hello&)> attached;
  std::function<void(v1::Loaded)> loaded;
  std::function<void(Failure)> load_failed;
  std::function<void(v1::Loaded)> metadata_changed;
  std::function<void(v1::LogBatch)> log;
  std::function<void(v1::EmittedEvent)> event;
  std::function<void(const v1::Pong&)> pong;
  std::function<void(v1::Stopped)> stopped;
  std::function<void(std::string text)> stacks;
  /// Of a call that waits for its answer, named by its job.
  std::function<void(const std::string& job_id, v1::Progress)> progress;
  /// To be answered with answer_host().
  std::function<void(v1::HostCall)> host_call;
  std::function<void(v1::TaskReport)> task;
  /// Asked for each call that a worker owes when it attaches again.
  std::function<OwedAnswer(const v1::OwedCall&)> owed;
  /// A call that was cancelled at its deadline has not let go since.
  std::function<void(std::string name, std::chrono::milliseconds since)> stuck;
  /// It said what no worker says: its link is cut, and lost() follows.
  std::function<void(std::string because)> cut;
  /// The stream ended. Calls in flight are still pending: the supervision
  /// decides what to tell them (the process may have died of a signal).
  std::function<void()> lost;
};

class WorkerLink {
 public:
  /// JSON bytes of the result, or why there is none. Called exactly once per
  /// call, on whichever thread settles it.
  using Done = std::function<void(Outcome<std::string>)>;
  using Clock = std::chrono::steady_clock;

  virtual ~WorkerLink() = default;
  [[nodiscard]] virtual const LaunchId& launch() const = 0;

  virtual void load(v1::Load load) = 0;
  virtual void change_settings(std::string settings_json) = 0;
  virtual void ping(std::uint64_t nonce) = 0;
  virtual void dump_stacks() = 0;
  virtual void stop(std::string reason, std::chrono::milliseconds budget) = 0;
  virtual void answer_host(v1::HostAnswer answer) = 0;
  /// The result of this job, sent with keep_result, outlives us now.
  virtual void result_safe(std::string job_id) = 0;

  /// One call of the plugin.
  struct Call {
    v1::CallKind kind = v1::CALL_KIND_RUN;
    std::string name;  // Action or resource.
    std::string params_json;
    std::string job_id;  // Empty when it is none.
    // The worker keeps the result until result_safe(job_id), so that it reaches
    // the supervisor that comes after this one.
    bool keep_result = false;
    Clock::time_point deadline = Clock::time_point::max();
  };

  /// Sends one call. At its deadline it is settled with DEADLINE_EXCEEDED and
  /// cancelled in the worker; a later answer is dropped, but until it comes the
  /// call keeps its place. When `max_in_flight` calls wait already, it is
  /// settled with QUEUE_FULL; after close() with the failure given there.
  /// Returns the call's id, for abandon().
  virtual std::uint64_t invoke(Call call, Done done) = 0;

  /// Settles one pending call with `why`, and cancels it. Nothing happens if it is settled.
  virtual void abandon(std::uint64_t call_id, const Failure& why) = 0;

  /// The same, but as at a deadline: when the call does not let go, it is told
  /// to be stuck.
  virtual void call_off(std::uint64_t call_id, const Failure& why) = 0;

  /// Settles every pending and every future call with `why`, and ends the
  /// stream if it is open.
  virtual void close(const Failure& why) = 0;

  [[nodiscard]] virtual std::uint32_t in_flight() const = 0;
};

}  // namespace supervisor::link
