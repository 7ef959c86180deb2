#include "supervisor/services/workers_service.h"

#include "supervisor/services/core_call.h"
#include "supervisor/services/line_stream.h"

namespace supervisor::services {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_queued_lines = 10000;

// Finishes at once with `status`.
class RefusedLogs final : public grpc::ServerWriteReactor<v1::LogLine> {
 public:
  explicit RefusedLogs(grpc::Status status) { Finish(std::move(status)); }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerUnaryReactor* WorkersService::List(grpc::CallbackServerContext* context,
                                               const v1::ListWorkersRequest*,
                                               v1::ListWorkersResponse* response) {
  return on_core(context_.core, context, response,
                 [this]() -> asio::awaitable<Outcome<v1::ListWorkersResponse>> {
                   co_await registry_.refresh(false);
                   v1::ListWorkersResponse list;
                   for (const auto& plugin : registry_.list()) {
                     auto& row = *list.add_rows();
                     row.set_key(plugin->key());
                     *row.mutable_worker() = plugin->worker_snapshot();
                   }
                   co_return list;
                 });
}

grpc::ServerWriteReactor<v1::LogLine>* WorkersService::Logs(grpc::CallbackServerContext*,
                                                            const v1::LogsRequest* request) {
  const auto plugin = registry_.find(request->key());
  if (!plugin)
    return new RefusedLogs(to_status(make_failure(
        v1::REASON_PLUGIN_NOT_FOUND, "lookup", "There is no plugin '" + request->key() + "'.",
        "List the plugins to see their keys.", request->key())));
  auto* stream = new LineStream<v1::LogLine>(max_queued_lines);  // Deletes itself.
  const auto book = plugin->log_book();
  if (request->follow()) {
    // New lines queue behind a gate until the history has been pushed.
    struct Gate {
      std::mutex mutex;
      bool open = false;
      std::vector<v1::LogLine> early;
    };
    const auto gate = std::make_shared<Gate>();
    logs::LogBook::FollowerId id = 0;
    const auto history = book->tail(
        request->tail(),
        [stream, gate](const v1::LogLine& line) {
          const std::lock_guard lock(gate->mutex);
          if (gate->open) {
            stream->push(line);
          } else {
            gate->early.push_back(line);
          }
        },
        &id);
    stream->on_over = [book, id] { book->unfollow(id); };
    const std::lock_guard lock(gate->mutex);
    for (const auto& line : history) stream->push(line);
    for (const auto& line : gate->early) stream->push(line);
    gate->open = true;
  } else {
    for (auto& line : book->tail(request->tail())) stream->push(std::move(line));
    stream->end();
  }
  return stream;
}

}  // namespace supervisor::services
