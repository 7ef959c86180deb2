#include "supervisor/services/workers_service.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "supervisor/attack/attack_report.h"
#include "supervisor/services/attack_subject.h"
#include "supervisor/services/caller.h"
#include "supervisor/services/core_call.h"
#include "supervisor/services/run_checks.h"

namespace supervisor::services {

namespace asio = boost::asio;

namespace {

// UNSPECIFIED of what is no action of ours: that is refused.
v1::AuditAction audited(v1::ControlAction action) {
  switch (action) {
    case v1::CONTROL_ACTION_START:
      return v1::AUDIT_ACTION_START;
    case v1::CONTROL_ACTION_STOP:
      return v1::AUDIT_ACTION_STOP;
    case v1::CONTROL_ACTION_RESTART:
      return v1::AUDIT_ACTION_RESTART;
    case v1::CONTROL_ACTION_KILL:
      return v1::AUDIT_ACTION_KILL;
    case v1::CONTROL_ACTION_UNQUARANTINE:
      return v1::AUDIT_ACTION_UNQUARANTINE;
    default:
      return v1::AUDIT_ACTION_UNSPECIFIED;
  }
}

}  // namespace

void WorkersService::open(rpc::CallDesk& desk) {
  desk.unary(service_, &decltype(service_)::RequestList, [this](const auto& call) {
    answer_on_core(context_.core, call, [this] { return list(); });
  });
  desk.unary(service_, &decltype(service_)::RequestControl, [this](const auto& call) {
    answer_on_core(context_.core, call, [this, caller = caller_of(*call), wish = call->request()] {
      return control(caller, wish);
    });
  });
  desk.unary(service_, &decltype(service_)::RequestWhy, [this](const auto& call) {
    answer_on_core(context_.core, call, [this, key = call->request().key()] { return why(key); });
  });
  desk.unary(service_, &decltype(service_)::RequestDumpStacks, [this](const auto& call) {
    answer_on_core(context_.core, call,
                   [this, key = call->request().key()] { return dump_stacks(key); });
  });
  desk.unary(service_, &decltype(service_)::RequestAttack, [this](const auto& call) {
    asio::post(context_.core, [this, call] { attack(call); });
  });
  desk.stream(service_, &decltype(service_)::RequestLogs, [this](const auto& call) { logs(call); });
}

asio::awaitable<Outcome<v1::Plugin>> WorkersService::control(v1::Caller caller,
                                                             v1::ControlRequest wish) {
  const auto wait = wish.wait_ms() == 0 ? settle_wait_ : std::chrono::milliseconds(wish.wait_ms());
  const auto entry = trail_.entry(std::move(caller), audited(wish.action()), wish.key());
  const std::function<void()> begun = [this, &entry] { trail_.record(entry); };
  auto controlling = trail_.told(entry, registry_.control(wish.key(), wish.action(), wait, begun));
  co_return co_await std::move(controlling);
}

asio::awaitable<Outcome<v1::ListWorkersResponse>> WorkersService::list() {
  co_await registry_.refresh_unless_recent();
  auto look = [plugins = registry_.list()]() -> asio::awaitable<v1::ListWorkersResponse> {
    v1::ListWorkersResponse response;
    for (const auto& plugin : plugins) {
      auto& row = *response.add_rows();
      row.set_key(plugin->key());
      *row.mutable_worker() = plugin->status().worker(lifecycle::Detail::all);
    }
    co_return response;
  };
  auto looking = asio::co_spawn(looking_, look, asio::use_awaitable);
  auto response = co_await std::move(looking);
  co_return response;
}

asio::awaitable<Outcome<v1::WhyResponse>> WorkersService::why(std::string key) {
  co_await registry_.refresh(false);
  const auto plugin = registry_.find(key);
  if (!plugin)
    co_return make_failure(v1::REASON_PLUGIN_NOT_FOUND, "lookup",
                           "There is no plugin '" + key + "'.",
                           "List the plugins to see their keys.", key);
  co_return plugin->status().why();
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

void WorkersService::attack(const std::shared_ptr<AttackCall>& call) {
  constexpr auto allowed = std::chrono::seconds(60);
  const auto& key = call->request().key();
  const auto plugin = registry_.find(key);
  const auto entry = trail_.entry(caller_of(*call), v1::AUDIT_ACTION_ATTACK, key);
  const auto refuse = [this, &call, &entry](Failure failure) {
    trail_.refuse(entry, failure.reason());
    call->answer(std::move(failure));
  };
  if (!plugin) return refuse(unknown_plugin(key));
  if (const auto serving = plugin->serving_generation(); serving.has_error())
    return refuse(serving.error());
  trail_.record(entry);
  const auto targets = std::make_shared<attack::AttackTargets>();
  const auto subject = attack_subject(context_, registry_, *plugin, socket_);
  link::WorkerLink::Call run;
  run.kind = v1::CALL_KIND_ATTACK;
  run.name = "attack";
  run.params_json = targets->json(subject);
  auto done = [call, targets, sandbox = subject.sandbox](Outcome<std::string> outcome) {
    if (outcome.has_error()) {
      call->answer(std::move(outcome.error()));
      return;
    }
    auto report = attack::read_attack_report(call->request().key(), outcome.value());
    if (report.has_value()) *report.value().mutable_sandbox() = sandbox;
    call->answer(std::move(report));
  };
  const auto handle = plugin->invoke(std::move(run), allowed, std::move(done));
  call->when_hung_up([handle] {
    if (const auto link = handle.link.lock())
      link->abandon(handle.id, make_failure(v1::REASON_CANCELLED, "attack", "The caller hung up."));
  });
}

void WorkersService::logs(const std::shared_ptr<LogReading::Call>& call) {
  const auto& request = call->request();
  const auto plugin = registry_.find(request.key());
  if (!plugin) {
    call->refuse(to_status(make_failure(v1::REASON_PLUGIN_NOT_FOUND, "lookup",
                                        "There is no plugin '" + request.key() + "'.",
                                        "List the plugins to see their keys.", request.key())));
    return;
  }
  reading_.serve(call, plugin->log_book());
}

}  // namespace supervisor::services
