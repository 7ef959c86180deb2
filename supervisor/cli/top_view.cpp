#include "supervisor/cli/top_view.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <tuple>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/sys/heartbeat_json.h"

namespace supervisor::cli {
namespace {

struct Totals {
  std::map<v1::PluginState, int> states;
  double cpu_percent = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t processes = 0;
  std::uint64_t calls = 0;
  std::uint64_t restarts = 0;
};

Totals totals_of(const std::vector<TopRow>& rows) {
  Totals totals;
  for (const TopRow& row : rows) {
    ++totals.states[row.state];
    totals.cpu_percent += row.cpu_percent;
    totals.memory_bytes += row.memory_bytes;
    totals.processes += row.processes;
    totals.calls += row.calls;
    totals.restarts += row.restarts;
  }
  return totals;
}

std::string one_decimal(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", number);
  return text.data();
}

std::vector<std::string> header_of(const TopPage& page) {
  const Totals totals = totals_of(page.rows);
  std::string plugins = std::to_string(page.rows.size()) + " plugins";
  for (const auto& [state, count] : totals.states)
    plugins += (state == totals.states.begin()->first ? ": " : ", ") + std::to_string(count) + " " +
               state_name(state);
  std::vector<std::string> lines = {
      utc_time(page.unix_ms * 1000) + "  " + plugins,
      "cpu " + one_decimal(totals.cpu_percent) + " %, memory " + memory_text(totals.memory_bytes) +
          ", " + std::to_string(totals.processes) + " processes and threads, " +
          std::to_string(totals.calls) + " calls in flight, " + std::to_string(totals.restarts) +
          " restarts"};
  if (!page.notice.empty()) lines.push_back(safe_line(page.notice));
  return lines;
}

struct Field {
  Table::Column column;
  int importance;  // The least is left out first.
  std::function<Table::Cell(const TopRow&)> cell;
};

// What only a process has.
template <typename Text>
Table::Cell of_process(const TopRow& row, Text text) {
  return {row.pid == 0 ? std::string() : text()};
}

Table::Cell state_of(const TopRow& row) {
  if (row.pulse.empty()) return state_cell(row.state);
  return {state_name(row.state) + ", " + row.pulse, "31"};
}

const std::vector<Field>& fields() {
  using enum Table::Align;
  static const std::vector<Field> all = {
      {{"PLUGIN", left, 128}, 100, [](const TopRow& row) { return Table::Cell{row.key}; }},
      {{"STATE"}, 9, state_of},
      {{"PID", right},
       6,
       [](const TopRow& row) { return of_process(row, [&] { return std::to_string(row.pid); }); }},
      {{"GEN", right},
       1,
       [](const TopRow& row) { return Table::Cell{std::to_string(row.generation)}; }},
      {{"CPU %", right},
       8,
       [](const TopRow& row) {
         return of_process(row, [&] { return one_decimal(row.cpu_percent); });
       }},
      {{"MEMORY", right},
       7,
       [](const TopRow& row) {
         return of_process(row, [&] { return memory_text(row.memory_bytes); });
       }},
      {{"TASKS", right},
       2,
       [](const TopRow& row) {
         return Table::Cell{row.processes == 0 ? "" : std::to_string(row.processes)};
       }},
      {{"CALLS", right},
       5,
       [](const TopRow& row) {
         return of_process(row, [&] { return std::to_string(row.calls); });
       }},
      {{"RESTARTS", right},
       3,
       [](const TopRow& row) { return Table::Cell{std::to_string(row.restarts)}; }},
      {{"UPTIME", right}, 4, [](const TopRow& row) {
         return of_process(row, [&] { return uptime_text(row.uptime_ms); });
       }}};
  return all;
}

std::size_t width_of(const std::string& lines) {
  std::size_t widest = 0;
  for (std::string_view rest = lines; !rest.empty();) {
    const auto end = rest.find('\n');
    widest = std::max(widest, display_width(rest.substr(0, end)));
    rest.remove_prefix(end + 1);
  }
  return widest;
}

// A table of the fields that are at least this important.
std::string table_text(const std::vector<TopRow>& rows, std::size_t shown, int importance,
                       std::size_t key_width, bool colours) {
  std::vector<Table::Column> columns;
  for (const Field& field : fields())
    if (field.importance >= importance) columns.push_back(field.column);
  columns.front().max_width = key_width;
  Table table(std::move(columns));
  for (std::size_t at = 0; at < shown; ++at) {
    std::vector<Table::Cell> cells;
    for (const Field& field : fields())
      if (field.importance >= importance) cells.push_back(field.cell(rows[at]));
    table.add_row(std::move(cells));
  }
  return table.render(colours);
}

std::string fitting_table(const std::vector<TopRow>& rows, std::size_t shown, std::size_t columns,
                          bool colours) {
  constexpr std::size_t whole_key = 128;
  constexpr std::size_t short_key = 16;
  constexpr int most = 10;
  if (columns == 0) return table_text(rows, shown, 0, whole_key, colours);
  // Long keys give way before a field does, and then altogether.
  for (const std::size_t least : {short_key, std::size_t{6}})
    for (int importance = 0; importance < most; ++importance) {
      const auto width = width_of(table_text(rows, shown, importance, whole_key, false));
      if (width <= columns) return table_text(rows, shown, importance, whole_key, colours);
      const auto over = width - columns;
      const auto keys = width_of(table_text(rows, shown, most, whole_key, false));
      if (keys >= over + least) return table_text(rows, shown, importance, keys - over, colours);
    }
  return table_text(rows, shown, most, columns, colours);
}

}  // namespace

const std::map<std::string, TopOrder>& top_orders() {
  static const std::map<std::string, TopOrder> orders = {{"cpu", TopOrder::cpu},
                                                         {"memory", TopOrder::memory},
                                                         {"key", TopOrder::key},
                                                         {"calls", TopOrder::calls},
                                                         {"restarts", TopOrder::restarts}};
  return orders;
}

std::vector<TopRow> top_rows(const v1::ListWorkersResponse& workers, const ProcessorUse& use,
                             const Moment& now, TopOrder order) {
  std::vector<TopRow> rows;
  for (const auto& one : workers.rows()) {
    const v1::Worker& worker = one.worker();
    TopRow row{.key = one.key(), .state = worker.state()};
    row.restarts = worker.restarts();
    row.generation = worker.generation();
    if (worker.pid() != 0) {
      const auto with_children = worker.limits().memory_used_bytes();
      row.pid = worker.pid();
      row.cpu_percent = use.percent(one.key());
      row.memory_bytes = with_children != 0 ? with_children : worker.memory_bytes();
      if (is_unwell(worker)) row.pulse = sys::pulse_name(worker.heartbeat().pulse());
      row.processes = worker.limits().processes_used();
      row.calls = worker.in_flight();
      row.uptime_ms = std::max<std::int64_t>(0, now.unix_ms - worker.started_at_unix_ms());
    }
    rows.push_back(std::move(row));
  }
  const auto amount = [order](const TopRow& row) -> double {
    if (order == TopOrder::key) return 0;
    if (order == TopOrder::restarts) return row.restarts;
    if (row.pid == 0) return -1;
    if (order == TopOrder::calls) return row.calls;
    return order == TopOrder::cpu ? row.cpu_percent : static_cast<double>(row.memory_bytes);
  };
  std::sort(rows.begin(), rows.end(), [&](const TopRow& a, const TopRow& b) {
    return std::make_tuple(-amount(a), std::cref(a.key)) <
           std::make_tuple(-amount(b), std::cref(b.key));
  });
  return rows;
}

std::string top_text(const TopPage& page, const TopSize& size, bool colours) {
  const auto cut = [&](const std::string& line) {
    return (size.columns == 0 ? line : cut_to_width(line, size.columns)) + "\n";
  };
  std::string text;
  std::size_t used = 0;
  for (const std::string& line : header_of(page)) text += cut(line), ++used;
  used += 2;  // The blank line and the titles.
  std::string below;
  if (!page.footer.empty()) below = cut(page.footer), ++used;

  std::size_t shown = page.rows.size();
  if (size.lines != 0 && used + shown > size.lines) {
    shown = size.lines > used + 1 ? size.lines - used - 1 : 0;
    below = cut("... and " + std::to_string(page.rows.size() - shown) + " more") + below;
  }
  return text + "\n" + fitting_table(page.rows, shown, size.columns, colours) + below;
}

std::string top_json(const TopPage& page) {
  const Totals totals = totals_of(page.rows);
  JsonWriter states('{');
  for (const auto& [state, count] : totals.states) states.number(state_name(state), count);
  JsonWriter sums('{');
  sums.raw("states", std::move(states).finish())
      .raw("cpu_percent", one_decimal(totals.cpu_percent))
      .number("memory_bytes", totals.memory_bytes)
      .number("processes", totals.processes)
      .number("in_flight", totals.calls)
      .number("restarts", totals.restarts);
  JsonWriter rows('[');
  for (const TopRow& row : page.rows) {
    JsonWriter one('{');
    one.text("key", row.key)
        .text("state", state_name(row.state))
        .raw("pulse", row.pulse.empty() ? "null" : json_quote(row.pulse))
        .raw("pid", row.pid == 0 ? std::string("null") : std::to_string(row.pid))
        .number("generation", row.generation)
        .raw("cpu_percent", one_decimal(row.cpu_percent))
        .number("memory_bytes", row.memory_bytes)
        .raw("processes", row.processes == 0 ? std::string("null") : std::to_string(row.processes))
        .number("in_flight", row.calls)
        .number("restarts", row.restarts)
        .number("uptime_ms", row.uptime_ms);
    rows.element(std::move(one).finish());
  }
  JsonWriter json('{');
  json.text("time", utc_time(page.unix_ms * 1000))
      .raw("totals", std::move(sums).finish())
      .raw("workers", std::move(rows).finish());
  return std::move(json).finish();
}

std::string uptime_text(std::int64_t ms) {
  const std::int64_t seconds = ms / 1000;
  const auto pair = [](std::int64_t large, char unit, std::int64_t small, const char* below) {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%lld%c%02lld%s", static_cast<long long>(large), unit,
                  static_cast<long long>(small), below);
    return std::string(text.data());
  };
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return pair(seconds / 60, 'm', seconds % 60, "s");
  if (seconds < 86400) return pair(seconds / 3600, 'h', seconds / 60 % 60, "m");
  return pair(seconds / 86400, 'd', seconds / 3600 % 24, "h");
}

}  // namespace supervisor::cli
