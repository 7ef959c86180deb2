// The part of a WorkerRun that has to do with its heartbeat.
#include <algorithm>
#include <csignal>

#include "supervisor/lifecycle/worker_run.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/heartbeat_json.h"
#include "supervisor/sys/process_stat.h"

namespace supervisor::lifecycle {
namespace {

bool is_bad(v1::Pulse pulse) {
  return pulse == v1::PULSE_WEDGED || pulse == v1::PULSE_STOPPED || pulse == v1::PULSE_SILENT;
}

// The function of the kernel that the process sleeps in, where it may be known.
std::string sleeps_in(pid_t pid) {
  try {
    const auto name = sys::read_file("/proc/" + std::to_string(pid) + "/wchan", 200);
    return name == "0" ? std::string() : logs::printable_text(name, 100);
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace

void WorkerRun::make_heartbeat() {
  Heartbeat::Body body;
  body.ping = [self = weak_from_this()](std::uint64_t nonce) {
    const auto run = self.lock();
    if (const auto to = run ? run->link() : nullptr) to->ping(nonce);
  };
  body.has_calls = [self = weak_from_this()] {
    const auto run = self.lock();
    const auto to = run ? run->link() : nullptr;
    return to && to->in_flight() > 0;
  };
  body.process = [self = weak_from_this()] {
    const auto run = self.lock();
    const auto stat = run ? sys::process_stat(run->pid()) : std::nullopt;
    return stat.value_or(sys::ProcessStat{});
  };
  body.tell = [self = weak_from_this()](v1::Pulse before, const PulseVerdict& now) {
    if (const auto run = self.lock()) run->take_pulse(before, now);
  };
  heartbeat_ = std::make_shared<Heartbeat>(context_.options.pulse, std::move(body));
}

void WorkerRun::watch_heartbeat() { context_.heartbeats.add(heartbeat_); }

SilentProcess WorkerRun::silent_process() const {
  SilentProcess process;
  process.pid = pid();
  const auto stat = sys::process_stat(pid()).value_or(sys::ProcessStat{});
  process.state = stat.state;
  process.cpu_seconds = std::max(0.0, stat.cpu_seconds - cpu_when_silent_);
  process.sleeps_in = sleeps_in(pid());
  process.last_texts = last_texts();
  return process;
}

void WorkerRun::take_pulse(v1::Pulse before, const PulseVerdict& now) {
  if (is_bad(now.pulse) && now.pulse != before) {
    say(v1::LOG_LEVEL_WARNING, explain(now.pulse));
    if (now.pulse != v1::PULSE_WEDGED) {
      const auto stat = sys::process_stat(pid());
      cpu_when_silent_ = stat ? stat->cpu_seconds : 0;
    }
  } else if (is_bad(before) && !is_bad(now.pulse)) {
    say(v1::LOG_LEVEL_INFO, "The interpreter answers again.");
  }
  if (before != now.pulse && (is_bad(before) || is_bad(now.pulse)))
    logs::log_event(spdlog::level::info, "worker.pulse",
                    {{"plugin", plugin_},
                     {"generation", generation_},
                     {"from", sys::pulse_name(before)},
                     {"to", sys::pulse_name(now.pulse)}});
  switch (now.action) {
    case PulseAction::none:
      return;
    case PulseAction::resume:
      say(v1::LOG_LEVEL_WARNING, "The process is stopped for long: it is told to go on (SIGCONT).");
      if (worker_) worker_.send_signal(SIGCONT);
      return;
    case PulseAction::end:
      unwell_ = now.pulse;
      changed_.notify();
      return;
  }
}

}  // namespace supervisor::lifecycle
