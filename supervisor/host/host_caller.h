// One worker's host calls: bounded in size and number, answered one at a time
// in the order they came. So a plugin that asks without end waits for itself
// and leaves the database to the others.
//
// Shared by the link's events and by the coroutine that answers. take() from
// the link's thread; the rest on the core thread.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "plugin_supervisor/v1/worker_link.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::host {

class HostCalls;

class HostCaller : public std::enable_shared_from_this<HostCaller> {
 public:
  static constexpr std::size_t max_params_bytes = std::size_t{4} << 20;
  static constexpr std::size_t max_waiting = 64;
  static constexpr std::size_t max_waiting_bytes = std::size_t{16} << 20;

  /// Called on the core thread, once for each call.
  using Answer = std::function<void(v1::HostAnswer)>;

  HostCaller(HostCalls& host, boost::asio::any_io_executor core, std::string plugin, Answer answer);
  HostCaller(const HostCaller&) = delete;
  HostCaller& operator=(const HostCaller&) = delete;

  /// Takes a call as the worker sent it. Returns at once. While as many
  /// refusals as calls may wait are on their way, more calls go unanswered: only
  /// a worker that waits for no answer can come so far.
  void take(v1::HostCall call);

 private:
  Outcome<void> admit(const v1::HostCall& call);
  void reply(std::uint64_t call_id, Outcome<std::string> outcome);
  boost::asio::awaitable<void> serve();

  HostCalls& host_;
  const boost::asio::any_io_executor core_;
  const std::string plugin_;
  const Answer answer_;
  std::atomic<std::size_t> waiting_ = 0;
  std::atomic<std::size_t> waiting_bytes_ = 0;
  std::atomic<std::size_t> refusals_ = 0;  // On their way.
  std::deque<v1::HostCall> calls_;
  bool serving_ = false;
};

}  // namespace supervisor::host
