#include "supervisor/lifecycle/plugin_status.h"

#include "supervisor/lifecycle/plugin_state.h"

namespace supervisor::lifecycle {
namespace {

Failure why_none_serves(const PluginFacts& facts) {
  // Crashed this moment; or known to run in a moment, or not known yet.
  const bool between =
      facts.state == v1::PLUGIN_STATE_RUNNING ||
      (facts.state == v1::PLUGIN_STATE_DISABLED && facts.entry && !facts.entry->error &&
       (!facts.row_known || (facts.row && facts.row->enabled)));
  return refusal(between ? v1::PLUGIN_STATE_STARTING : facts.state, facts.key,
                 facts.failure ? &*facts.failure : nullptr);
}

}  // namespace

void PluginFacts::forget_worker() {
  link.reset();
  loaded.reset();
  permissions.reset();
  sandbox.reset();
  pid = 0;
  adopted = false;
  limits.reset();
  network.reset();
  heartbeat.reset();
  started_at_unix_ms = 0;
}

Outcome<PluginStatus::Serving> PluginStatus::serving() const {
  const std::lock_guard lock(mutex_);
  if (facts_.state != v1::PLUGIN_STATE_RUNNING || !facts_.link) return why_none_serves(facts_);
  Serving serving{facts_.link, facts_.generation};
  if (facts_.options.has_call_timeout_ms())
    serving.call_timeout = std::chrono::milliseconds(facts_.options.call_timeout_ms());
  return serving;
}

// With the lock held.
const sys::ProcessStat& PluginStatus::usage() const {
  const auto now = std::chrono::steady_clock::now();
  if (usage_of_ == facts_.pid && now - usage_at_ <= std::chrono::seconds(1)) return usage_;
  usage_ = facts_.pid == 0 ? sys::ProcessStat{}
                           : sys::process_stat(facts_.pid).value_or(sys::ProcessStat{});
  usage_of_ = facts_.pid;
  usage_at_ = now;
  return usage_;
}

v1::Worker PluginStatus::worker(Detail detail) const {
  const std::lock_guard lock(mutex_);
  return render_worker(facts_, usage(), detail);
}

v1::Plugin PluginStatus::plugin(Detail detail) const {
  const std::lock_guard lock(mutex_);
  return render_plugin(facts_, usage(), detail);
}

v1::WhyResponse PluginStatus::why() const {
  const std::lock_guard lock(mutex_);
  return render_why(facts_, usage());
}

}  // namespace supervisor::lifecycle
