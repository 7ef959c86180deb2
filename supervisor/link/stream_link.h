// The supervisor's end of one launch's link, over whichever stream the worker
// has open at the moment.
//
// Owned by the supervision and by the stream. Thread-safe; everything is under
// one mutex, and what others gave us to call (Done, LinkEvents) is called
// outside of it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "supervisor/link/deadline_sweep.h"
#include "supervisor/link/frame_stream.h"
#include "supervisor/link/link_server.h"
#include "supervisor/link/pending_calls.h"
#include "supervisor/link/worker_link.h"

namespace supervisor::link {

class StreamLink final : public WorkerLink, public Expiring {
 public:
  StreamLink(LaunchId launch, LinkEvents events, LinkOptions options,
             std::shared_ptr<DeadlineSweep> sweep);
  StreamLink(const StreamLink&) = delete;
  StreamLink& operator=(const StreamLink&) = delete;
  ~StreamLink() override;  // Settles what nobody closed.

  [[nodiscard]] const LaunchId& launch() const override { return launch_; }
  void load(v1::Load load) override;
  void change_settings(std::string settings_json) override;
  void ping(std::uint64_t nonce) override;
  void dump_stacks() override;
  void stop(std::string reason, std::chrono::milliseconds budget) override;
  void answer_host(v1::HostAnswer answer) override;
  void result_safe(std::string job_id) override;
  std::uint64_t invoke(Call call, Done done) override;
  void abandon(std::uint64_t call_id, const Failure& why) override;
  void call_off(std::uint64_t call_id, const Failure& why) override;
  void close(const Failure& why) override;
  [[nodiscard]] std::uint32_t in_flight() const override;

  bool expire(Clock::time_point now) override;

  /// Takes `stream` as the one that carries this link. Empty when it does,
  /// else why not.
  std::string attach(const std::shared_ptr<FrameStream>& stream, const v1::Hello& hello);

  /// What the worker said. False when it broke the protocol and must go.
  /// Called by the stream, one call at a time.
  bool receive(v1::WorkerBatch& batch);

  /// Why receive() was false. Of who called it.
  [[nodiscard]] const std::string& broken_because() const { return broken_because_; }

  /// The stream is about to be ended for `why`.
  void cut(const std::string& why) const {
    if (events_.cut) events_.cut(why);
  }

  /// `stream` has ended; nothing more comes from it.
  void detach(const FrameStream* stream);

 private:
  void send(v1::SupervisorFrame frame);
  void cancel(std::uint64_t call_id);
  bool give_up(std::uint64_t call_id, const Failure& why, Clock::time_point stuck_at);
  bool receive_frame(v1::WorkerFrame& frame);
  bool broken(std::string why);
  bool receive_loaded(v1::Loaded& loaded, const std::function<void(v1::Loaded)>& event);
  [[nodiscard]] std::string refusal() const;  // Locked.
  [[nodiscard]] std::string refusal_of(const v1::Resumed& resumed) const;
  void take_owed(const v1::Resumed& resumed);
  Outcome<std::string> outcome_of(v1::Result& result, const std::string& name) const;

  const LaunchId launch_;
  const LinkEvents events_;
  const LinkOptions options_;
  const std::shared_ptr<DeadlineSweep> sweep_;

  mutable std::mutex mutex_;
  std::shared_ptr<FrameStream> stream_;
  std::vector<v1::SupervisorFrame> unsent_;  // Said while no stream was open.
  PendingCalls pending_;
  std::uint64_t last_call_id_ = 0;
  std::string broken_because_;
  bool lost_ = false;  // There was a stream; no other will do.
  std::optional<Failure> closed_;
};

}  // namespace supervisor::link
