// top: the workers, looked at again and again.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <thread>

#include "supervisor/cli/destination.h"
#include "supervisor/cli/duration_option.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/screen.h"
#include "supervisor/cli/top_view.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct TopOptions {
  std::string order = "cpu";
  bool once = false;
  std::uint32_t count = 0;  // 0 = without end.
};

constexpr const char* keys_help =
    "q quits; sort by c cpu, m memory, k key, i calls in flight, r restarts";

// What was seen last, and when it was not seen any more.
class Watch {
 public:
  explicit Watch(TopOrder order) : order_(order) {}

  void sort_by(TopOrder order) { order_ = order; }

  void take_in(Outcome<v1::ListWorkersResponse> answer) {
    const Moment now = Moment::now();
    if (answer.has_value()) {
      seen_ = std::move(*answer);
      at_ = now;
      use_.note(seen_, now);
      failure_.reset();
    } else {
      if (!failure_) away_since_ = now;
      failure_ = answer.error();
    }
  }

  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

  [[nodiscard]] TopPage page() const {
    TopPage page{.rows = top_rows(seen_, use_, at_, order_), .unix_ms = at_.unix_ms};
    if (failure_)
      page.notice = "supervisor away since " + utc_time(away_since_.unix_ms * 1000) +
                    "; this is what was seen last: " + failure_->message();
    return page;
  }

 private:
  TopOrder order_;
  ProcessorUse use_;
  v1::ListWorkersResponse seen_;
  Moment at_;
  std::optional<Failure> failure_;
  Moment away_since_;
};

// A supervisor that hangs is told as away before the next look is due.
std::chrono::milliseconds patience(std::chrono::milliseconds interval) {
  return std::clamp<std::chrono::milliseconds>(interval, std::chrono::seconds(1),
                                               SupervisorClient::prompt);
}

ExitCode print_pages(SupervisorClient& supervisor, Terminal& terminal, Watch& watch,
                     std::uint32_t count, std::chrono::milliseconds interval) {
  for (std::uint32_t shown = 1;; ++shown) {
    const auto due = Clock::now() + interval;
    const auto allowed = count == 1 ? SupervisorClient::prompt : patience(interval);
    watch.take_in(supervisor.begin_workers(allowed)->take());
    const bool last = count != 0 && shown == count;
    if (last && watch.failure()) return terminal.fail(*watch.failure());
    if (terminal.json()) {
      terminal.print_json(top_json(watch.page()));
    } else {
      terminal.print((shown > 1 ? "\n" : "") + top_text(watch.page(), {}, terminal.colours()));
    }
    // A reader that went away ends it.
    if (!terminal.flush() || last) return ExitCode::ok;
    std::this_thread::sleep_until(due);
  }
}

const std::map<char, TopOrder> order_keys = {{'c', TopOrder::cpu},
                                             {'m', TopOrder::memory},
                                             {'k', TopOrder::key},
                                             {'i', TopOrder::calls},
                                             {'r', TopOrder::restarts}};

ExitCode follow(SupervisorClient& supervisor, Terminal& terminal, TerminalSignals& signals,
                Watch& watch, std::chrono::milliseconds interval) {
  Screen screen(terminal, signals);
  auto query = supervisor.begin_workers(patience(interval));
  auto due = Clock::now() + interval;
  const auto paint = [&] {
    TopPage page = watch.page();
    page.footer = keys_help;
    return screen.paint(top_text(page, screen.size(), terminal.colours()));
  };
  for (;;) {
    const auto happened = screen.wait(query ? query->fd() : -1, due);
    switch (happened.event) {
      case Screen::Event::ended:
        return ExitCode::ok;
      case Screen::Event::key:
        if (happened.key == 'q' || happened.key == 'Q') return ExitCode::ok;
        if (const auto order = order_keys.find(happened.key); order != order_keys.end())
          watch.sort_by(order->second);
        break;
      case Screen::Event::ready:
        watch.take_in(query->take());
        query.reset();
        break;
      case Screen::Event::elapsed:
        // One that is still under way is waited for.
        if (!query) query = supervisor.begin_workers(patience(interval));
        due = Clock::now() + interval;
        continue;
      case Screen::Event::resized:
        break;
    }
    if (!paint()) return ExitCode::ok;
  }
}

ExitCode top(const Destination& destination, Terminal& terminal, const TopOptions& options,
             std::chrono::milliseconds interval) {
  const std::uint32_t count = options.once ? 1 : options.count;
  if (terminal.json() && count != 1)
    return terminal.fail(make_failure(v1::REASON_INVALID_REQUEST, "command line",
                                      "top --json is for a single look.", "Add --once."));
  const bool live = terminal.interactive() && count == 0;
  std::optional<TerminalSignals> signals;
  if (live) signals.emplace();
  auto supervisor = SupervisorClient::connect(destination);
  if (!supervisor) return terminal.fail(supervisor.error());
  Watch watch(top_orders().at(options.order));
  return live ? follow(*supervisor, terminal, *signals, watch, interval)
              : print_pages(*supervisor, terminal, watch, count, interval);
}

}  // namespace

Verb top_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand(
      "top", "Watch the workers: processor time, memory, processes, calls in flight");
  const auto options = std::make_shared<TopOptions>();
  const auto interval = std::make_shared<std::chrono::milliseconds>(2000);
  add_duration_option(*parser, "--interval", interval, "From one look to the next (default 2s)");
  parser->add_option("--sort", options->order, "What to sort by, the largest first (default cpu)")
      ->check(CLI::IsMember(top_orders()).description(""))
      ->type_name("cpu|memory|key|calls|restarts");
  auto* count = parser->add_option("--count", options->count, "Print so many tables and end")
                    ->check(CLI::PositiveNumber.description(""))
                    ->type_name("NUMBER");
  parser->add_flag("--once", options->once, "Print one table and end")->excludes(count);
  parser->footer(
      "On a terminal one table is shown and renewed until q or Ctrl-C; else, or with --count or\n"
      "--once, tables are printed one after another. CPU is of the worker's own process, in per\n"
      "cent of one processor: since the look before, in the first table since its start. MEMORY\n"
      "and TASKS (processes and threads) include what the worker started, where the mechanism\n"
      "of its limits tells.\n\n" +
      exit_code_help());
  Verb verb{parser, nullptr};
  verb.run_alone = [=, &root](Terminal& terminal) {
    return top(destination_of(root), terminal, *options, *interval);
  };
  return verb;
}

}  // namespace supervisor::cli
