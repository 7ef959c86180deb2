#include "supervisor/services/metrics_service.h"

#include <boost/asio/post.hpp>

#include "supervisor/lifecycle/plugin_state.h"
#include "supervisor/metrics/process_use.h"

namespace supervisor::services {
namespace {

using metrics::Exposition;
using Type = Exposition::Type;

struct Seen {
  std::string key;
  v1::Worker worker;
  double dropped_lines;
};

void each(Exposition& out, const std::vector<Seen>& seen, Type type, const std::string& name,
          const std::string& help, const std::function<double(const Seen&)>& value) {
  out.family(type, name, help);
  for (const auto& one : seen) out.value({{"plugin", one.key}}, value(one));
}

}  // namespace

void MetricsService::open(rpc::CallDesk& desk) {
  desk.unary(service_, &decltype(service_)::RequestCollect, [this](const auto& call) {
    boost::asio::post(looking_, [this, call] {
      v1::CollectMetricsResponse response;
      response.set_text(text());
      call->answer(std::move(response));
    });
  });
}

std::string MetricsService::text() const {
  Exposition out;
  out.family(Type::Gauge, "plugin_supervisor_build_info", "Always 1; which version runs.")
      .value({{"version", PLUGIN_SUPERVISOR_VERSION}}, 1);
  append_workers(out);
  context_.meters.append_to(out);
  out.family(Type::Counter, "plugin_supervisor_log_lines_lost_total",
             "Lines of plugins that could not be written to their files.")
      .value({}, static_cast<double>(context_.logs.lost()));
  out.family(Type::Counter, "plugin_supervisor_audit_entries_lost_total",
             "Entries of the audit trail that waited for the database in vain.")
      .value({}, static_cast<double>(trail_.lost()));
  metrics::append_own_use(out, "plugin_supervisor");
  return out.text();
}

// What the workers are at this moment.
void MetricsService::append_workers(Exposition& out) const {
  std::vector<Seen> all;
  for (const auto& plugin : registry_.list())
    all.push_back({plugin->key(), plugin->status().worker(lifecycle::Detail::all),
                   static_cast<double>(plugin->log_book()->dropped())});
  out.family(Type::Gauge, "plugin_state", "1 for the state that the plugin is in.");
  for (const auto& one : all)
    out.value({{"plugin", one.key}, {"state", lifecycle::state_name(one.worker.state())}}, 1);
  each(out, all, Type::Counter, "plugin_log_lines_dropped_total", "Log lines over the rate.",
       [](const Seen& one) { return one.dropped_lines; });

  std::vector<Seen> living;
  for (auto& one : all)
    if (one.worker.pid() != 0) living.push_back(std::move(one));
  each(out, living, Type::Gauge, "plugin_calls_in_flight", "Calls waiting for an answer.",
       [](const Seen& one) { return one.worker.in_flight(); });
  each(out, living, Type::Gauge, "plugin_memory_bytes",
       "Memory of the worker and what it started, where a limit's mechanism tells; else resident "
       "memory of its own process.",
       [](const Seen& one) {
         const auto used = one.worker.limits().memory_used_bytes();
         return static_cast<double>(used != 0 ? used : one.worker.memory_bytes());
       });
  each(out, living, Type::Counter, "plugin_cpu_seconds_total",
       "Processor time of the worker's process since its start.",
       [](const Seen& one) { return one.worker.cpu_seconds(); });
  each(out, living, Type::Gauge, "plugin_processes",
       "Processes (and threads, where cgroups count) of the worker and what it started; 1 where "
       "that is not known.",
       [](const Seen& one) { return std::max<double>(1, one.worker.limits().processes_used()); });
  out.family(Type::Gauge, "plugin_supervisor_worker_interpreter_wait_seconds",
             "How long the last look at the worker's interpreter had to wait for it.");
  for (const auto& one : living)
    if (one.worker.has_heartbeat())
      out.value({{"plugin", one.key}}, one.worker.heartbeat().interpreter_wait_us() / 1e6);
  each(out, living, Type::Gauge, "plugin_open_descriptors", "Of the worker's own process.",
       [](const Seen& one) {
         return static_cast<double>(metrics::open_descriptors(one.worker.pid()).value_or(0));
       });
}

}  // namespace supervisor::services
