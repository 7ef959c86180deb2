// Answers one reader of a log: what is in memory at once, what only the files
// have after it has been read on a thread of its own, and new lines as they come.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <memory>

#include "plugin_supervisor/v1/workers_service.grpc.pb.h"
#include "supervisor/logs/log_book.h"
#include "supervisor/rpc/stream_call.h"

namespace supervisor::services {

class LogReading {
 public:
  using Call = rpc::StreamCall<v1::LogsRequest, v1::LogLine>;

  ~LogReading() { files_.join(); }

  /// On any thread.
  void serve(const std::shared_ptr<Call>& call, const std::shared_ptr<logs::LogBook>& book);

 private:
  boost::asio::thread_pool files_{1};
};

}  // namespace supervisor::services
