// What is known of one plugin, for every thread: the core thread changes it,
// all others look at it as a whole.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "supervisor/lifecycle/plugin_facts.h"
#include "supervisor/lifecycle/plugin_rendering.h"
#include "supervisor/sys/process_stat.h"

namespace supervisor::lifecycle {

class PluginStatus {
 public:
  explicit PluginStatus(std::string key) { facts_.key = std::move(key); }

  // --- Core thread ------------------------------------------------------------

  /// Without the lock: only this thread changes it.
  [[nodiscard]] const PluginFacts& facts() const { return facts_; }

  /// Calls `change(PluginFacts&)`, which others see whole or not at all. It must
  /// call back into nothing.
  template <typename Change>
  void change(Change&& change) {
    const std::lock_guard lock(mutex_);
    change(facts_);
  }

  // --- Any thread -------------------------------------------------------------

  /// The worker that takes calls now.
  struct Serving {
    std::shared_ptr<link::WorkerLink> link;
    std::uint64_t generation = 0;
    // The deadline of calls that is set for the plugin; 0 = none is.
    std::chrono::milliseconds call_timeout{0};
  };
  /// Or why none does.
  [[nodiscard]] Outcome<Serving> serving() const;

  [[nodiscard]] v1::Worker worker(Detail detail = Detail::listed) const;
  [[nodiscard]] v1::Plugin plugin(Detail detail = Detail::listed) const;
  [[nodiscard]] v1::WhyResponse why() const;

 private:
  const sys::ProcessStat& usage() const;

  mutable std::mutex mutex_;
  PluginFacts facts_;
  mutable sys::ProcessStat usage_;  // Of process usage_of_, at most a second old.
  mutable pid_t usage_of_ = 0;
  mutable std::chrono::steady_clock::time_point usage_at_{};
};

}  // namespace supervisor::lifecycle
