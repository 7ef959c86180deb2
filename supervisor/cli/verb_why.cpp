#include <CLI/CLI.hpp>
#include <chrono>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/verb.h"
#include "supervisor/sys/heartbeat_json.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::cli {
namespace {

std::string event_json(const v1::LifeEvent& event) {
  JsonWriter json('{');
  json.text("time", utc_time(event.time_unix_ms() * 1000))
      .number("generation", event.generation())
      .text("from", state_name(event.from()))
      .text("to", state_name(event.to()))
      .raw("failure", event.has_failure() ? failure_json(event.failure()) : "null");
  return std::move(json).finish();
}

std::string why_json(const v1::WhyResponse& why) {
  JsonWriter events('[');
  for (const auto& event : why.events()) events.element(event_json(event));
  JsonWriter json('{');
  json.text("key", why.plugin().key())
      .text("state", state_name(why.plugin().worker().state()))
      .text("state_means", why.state_means())
      .text("next_step", why.next_step())
      .boolean("enabled", why.plugin().enabled())
      .raw("worker", worker_json(why.plugin().worker()))
      .raw("load_error",
           why.plugin().has_load_error() ? failure_json(why.plugin().load_error()) : "null")
      .raw("events", std::move(events).finish());
  return std::move(json).finish();
}

std::string ago(std::int64_t unix_ms) {
  const auto now = sys::unix_ms();
  const auto seconds = std::max<std::int64_t>(0, (now - unix_ms) / 1000);
  if (seconds < 120) return std::to_string(seconds) + " s ago";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min ago";
  if (seconds < 172800) return std::to_string(seconds / 3600) + " h ago";
  return std::to_string(seconds / 86400) + " days ago";
}

std::string failure_text(const std::string& title, const v1::Failure& failure) {
  std::string text = title + " (" + reason_code(failure.reason());
  if (!failure.step().empty()) text += ", step " + safe_line(failure.step());
  text += "): " + safe_line(failure.message()) + "\n";
  for (const auto& line : failure.evidence()) text += "  | " + safe_line(line) + "\n";
  return text;
}

std::string start_text(const v1::StartSteps& steps) {
  const auto ms = [](std::uint32_t us) {
    auto text = std::to_string(us / 1000.0);
    return text.substr(0, text.find('.') + 2) + " ms";
  };
  if (steps.fork_us() == 0) return {};
  std::string text = "The last start: forked after " + ms(steps.fork_us());
  if (steps.attach_us() != 0) text += ", attached " + ms(steps.attach_us());
  if (steps.total_us() == 0) return text + ", and came no further.\n";
  return text + ", imported " + ms(steps.import_us()) + ", constructed " +
         ms(steps.construct_us()) + ", ready " + ms(steps.ready_us()) +
         " later: " + ms(steps.total_us()) + " in all.\n";
}

// When the failure came, as far as that is among what happened.
std::string when(const v1::WhyResponse& why, const v1::Failure& failure) {
  for (int at = why.events_size() - 1; at >= 0; --at) {
    const auto& event = why.events(at);
    if (event.failure().message().find(failure.message()) != std::string::npos)
      return ", " + ago(event.time_unix_ms());
  }
  return {};
}

// What the process does at the moment, and how often it had to be started.
std::string process_text(const v1::Worker& worker) {
  std::string text;
  if (worker.pid() != 0) {
    text += "Process " + std::to_string(worker.pid()) + ", generation " +
            std::to_string(worker.generation()) + ", was started " +
            ago(worker.started_at_unix_ms());
    if (worker.in_flight() != 0) text += "; calls in flight: " + std::to_string(worker.in_flight());
    text += ".\n";
  }
  if (is_unwell(worker))
    text += "Its heartbeat is " + sys::pulse_name(worker.heartbeat().pulse()) + " since " +
            utc_time(worker.heartbeat().since_unix_ms() * 1000) + ".\n";
  if (worker.restarts() != 0)
    text +=
        "Starts after a crash, since it was enabled: " + std::to_string(worker.restarts()) + ".\n";
  return text;
}

std::string story(const v1::WhyResponse& why) {
  const v1::Worker& worker = why.plugin().worker();
  std::string text = safe_line(why.plugin().key()) + " is " + state_name(worker.state()) + ": " +
                     safe_line(why.state_means()) + "\n" + process_text(worker);
  if (worker.next_start_unix_ms() != 0 && worker.state() == v1::PLUGIN_STATE_BACKOFF)
    text += "It starts again at " + utc_time(worker.next_start_unix_ms() * 1000) + ".\n";
  if (!why.next_step().empty()) text += "What to do: " + safe_line(why.next_step()) + "\n";
  if (why.plugin().has_load_error()) {
    text += "\n" + failure_text("Why", why.plugin().load_error());
  } else if (worker.has_failure()) {
    text += "\n" + failure_text("Why", worker.failure());
  } else if (worker.has_last_crash()) {
    text +=
        "\n" + failure_text("The last crash" + when(why, worker.last_crash()), worker.last_crash());
  }
  if (worker.adopted())
    text += "\nIts worker was started by an earlier supervisor at " +
            utc_time(worker.started_at_unix_ms() * 1000) + ", and taken over.\n";
  const std::string start = start_text(worker.start_steps());
  if (!start.empty()) text += "\n" + start;
  if (worker.has_last_stop()) {
    const auto& stop = worker.last_stop();
    text += "The last stop (" + safe_line(stop.reason()) + ") took " + std::to_string(stop.ms()) +
            " ms" + (stop.forced() ? " and force:" : ":");
    for (const auto& step : stop.steps()) text += " " + safe_line(step);
    text += ".\n";
  }
  if (why.events_size() == 0) return text;
  text += "\nWhat happened since the supervisor was started:\n";
  for (const auto& event : why.events()) {
    text += "  " + utc_time(event.time_unix_ms() * 1000) + " (" + ago(event.time_unix_ms()) +
            ")  " + state_name(event.from()) + " -> " + state_name(event.to());
    if (event.has_failure()) text += ": " + safe_line(event.failure().message());
    text += "\n";
  }
  return text;
}

}  // namespace

Verb why_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand(
      "why", "Tell how a plugin came into its present state, and what to do about it");
  const auto key = std::make_shared<std::string>();
  parser->add_option("KEY", *key, "Key of the plugin")->required();
  return {parser, [key](SupervisorClient& supervisor, Terminal& terminal) {
            const auto why = supervisor.why(*key);
            if (!why) return terminal.fail(why.error());
            if (terminal.json()) {
              terminal.print_json(why_json(*why));
            } else {
              terminal.print(story(*why));
            }
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
