// What a completion queue gives back: that an operation of a call is done.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace supervisor::rpc {

/// A tag of a completion queue.
class Completion {
 public:
  virtual ~Completion() = default;
  virtual void done(bool ok) = 0;
};

/// The completion of one kind of operation of a call; at most one is under way.
/// A member of the call, which it keeps alive meanwhile. `Call` derives from
/// std::enable_shared_from_this.
template <typename Call>
class Operation final : public Completion {
 public:
  using React = void (Call::*)(bool ok);
  Operation(Call& call, React react) : call_(call), react_(react) {}

  /// The tag, for the operation that is about to begin.
  Completion* begin() {
    const std::lock_guard lock(mutex_);
    alive_ = call_.shared_from_this();
    return this;
  }

  /// It will never be done.
  void forget() {
    std::shared_ptr<Call> alive;
    const std::lock_guard lock(mutex_);
    alive.swap(alive_);
  }

  void done(bool ok) override {
    std::shared_ptr<Call> alive;
    {
      // The lock orders, for this program, what began the operation and what
      // follows it, whatever gRPC does inside.
      const std::lock_guard lock(mutex_);
      alive.swap(alive_);
    }
    ((*alive).*react_)(ok);
  }

 private:
  Call& call_;
  const React react_;
  std::mutex mutex_;
  std::shared_ptr<Call> alive_;
};

}  // namespace supervisor::rpc
