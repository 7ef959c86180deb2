// Which launches wait for a worker, and the secret of each. The streams look
// here when a Hello comes. Owned by the LinkServer and its streams;
// thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "supervisor/link/deadline_sweep.h"
#include "supervisor/link/stream_link.h"

namespace supervisor::link {

class LaunchRegister {
 public:
  explicit LaunchRegister(std::shared_ptr<DeadlineSweep> sweep) : sweep_(std::move(sweep)) {}

  [[nodiscard]] DeadlineSweep& sweep() const { return *sweep_; }

  /// `token_digest` is the SHA-256 of the launch's token.
  void add(const std::shared_ptr<StreamLink>& link, std::string token_digest);
  /// Only if it is still this link's entry.
  void remove(const StreamLink& link);

  /// Has the launch that a worker names in its first batch take `stream`; or
  /// says why none does.
  struct Admitted {
    std::shared_ptr<StreamLink> link;
    std::string refusal;
  };
  Admitted admit(const v1::WorkerBatch& first, const std::shared_ptr<FrameStream>& stream) const;

  /// Every link that still lives, attached or not.
  std::vector<std::shared_ptr<StreamLink>> links() const;

 private:
  struct Entry {
    std::string token_digest;
    std::weak_ptr<StreamLink> link;
  };
  // The launch that `hello` names, if its token is right.
  std::shared_ptr<StreamLink> find(const v1::Hello& hello) const;

  const std::shared_ptr<DeadlineSweep> sweep_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::uint64_t>, Entry> entries_;
  std::vector<std::weak_ptr<StreamLink>> links_;  // Also those no longer awaited.
};

}  // namespace supervisor::link
