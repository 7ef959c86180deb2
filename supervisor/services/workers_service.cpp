#include "supervisor/services/workers_service.h"

#include "supervisor/services/core_call.h"

namespace supervisor::services {

namespace asio = boost::asio;

namespace {

logs::LineFilter filter_of(const v1::LogsRequest& request) {
  return {.min_level = request.min_level(),
          .job = request.job(),
          .since_unix_us = request.since_unix_us()};
}

}  // namespace

void WorkersService::open(rpc::CallDesk& desk) {
  desk.unary(service_, &decltype(service_)::RequestList, [this](const auto& call) {
    answer_on_core(context_.core, call,
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
  });
  desk.unary(service_, &decltype(service_)::RequestControl, [this](const auto& call) {
    answer_on_core(context_.core, call, [this, wish = call->request()] {
      const auto wait =
          wish.wait_ms() == 0 ? settle_wait_ : std::chrono::milliseconds(wish.wait_ms());
      return registry_.control(wish.key(), wish.action(), wait);
    });
  });
  desk.unary(service_, &decltype(service_)::RequestWhy, [this](const auto& call) {
    answer_on_core(context_.core, call, [this, key = call->request().key()] { return why(key); });
  });
  desk.unary(service_, &decltype(service_)::RequestDumpStacks, [this](const auto& call) {
    answer_on_core(context_.core, call,
                   [this, key = call->request().key()] { return dump_stacks(key); });
  });
  desk.stream(service_, &decltype(service_)::RequestLogs, [this](const auto& call) { logs(call); });
}

asio::awaitable<Outcome<v1::WhyResponse>> WorkersService::why(std::string key) {
  co_await registry_.refresh(false);
  const auto plugin = registry_.find(key);
  if (!plugin)
    co_return make_failure(v1::REASON_PLUGIN_NOT_FOUND, "lookup",
                           "There is no plugin '" + key + "'.",
                           "List the plugins to see their keys.", key);
  co_return plugin->why();
}

asio::awaitable<Outcome<v1::DumpStacksResponse>> WorkersService::dump_stacks(std::string key) {
  const auto plugin = registry_.find(key);
  if (!plugin)
    co_return make_failure(v1::REASON_PLUGIN_NOT_FOUND, "lookup",
                           "There is no plugin '" + key + "'.",
                           "List the plugins to see their keys.", key);
  auto dumping = plugin->dump_stacks(std::chrono::steady_clock::now() + std::chrono::seconds(5));
  auto stacks = co_await std::move(dumping);
  if (stacks.has_error()) co_return stacks.error();
  v1::DumpStacksResponse response;
  response.set_text(std::move(stacks.value()));
  co_return response;
}

void WorkersService::logs(const std::shared_ptr<LogsCall>& call) {
  const auto& request = call->request();
  const auto plugin = registry_.find(request.key());
  if (!plugin) {
    call->refuse(to_status(make_failure(v1::REASON_PLUGIN_NOT_FOUND, "lookup",
                                        "There is no plugin '" + request.key() + "'.",
                                        "List the plugins to see their keys.", request.key())));
    return;
  }
  const auto book = plugin->log_book();
  if (!request.follow()) {
    for (auto& line : book->tail(request.tail(), filter_of(request))) call->push(std::move(line));
    call->end();
    return;
  }
  // New lines queue behind a gate until the history has been pushed.
  struct Gate {
    std::mutex mutex;
    bool open = false;
    std::vector<v1::LogLine> early;
  };
  const auto gate = std::make_shared<Gate>();
  logs::LogBook::FollowerId id = 0;
  const auto history = book->tail(
      request.tail(), filter_of(request),
      [call, gate](const v1::LogLine& line) {
        const std::lock_guard lock(gate->mutex);
        if (gate->open) {
          call->push(line);
        } else {
          gate->early.push_back(line);
        }
      },
      &id);
  {
    const std::lock_guard lock(gate->mutex);
    for (const auto& line : history) call->push(line);
    for (const auto& line : gate->early) call->push(line);
    gate->open = true;
  }
  call->when_over([book, id] { book->unfollow(id); });
}

}  // namespace supervisor::services
