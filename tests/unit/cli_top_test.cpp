#include <catch2/catch.hpp>
#include <sstream>

#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/top_view.h"

using namespace supervisor;
using namespace supervisor::cli;
using namespace std::chrono_literals;

namespace {

v1::Worker& add_worker(v1::ListWorkersResponse& workers, const std::string& key, double cpu_seconds,
                       std::uint64_t generation = 1) {
  auto& row = *workers.add_rows();
  row.set_key(key);
  v1::Worker& worker = *row.mutable_worker();
  worker.set_state(v1::PLUGIN_STATE_RUNNING);
  worker.set_pid(100);
  worker.set_generation(generation);
  worker.set_cpu_seconds(cpu_seconds);
  worker.set_started_at_unix_ms(1'000'000);
  return worker;
}

v1::ListWorkersResponse one_worker(double cpu_seconds, std::uint64_t generation = 1) {
  v1::ListWorkersResponse workers;
  add_worker(workers, "a", cpu_seconds, generation);
  return workers;
}

Moment after(std::chrono::milliseconds lived) {
  return {1'000'000 + lived.count(), std::chrono::steady_clock::time_point(lived)};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TopPage page_of(int plugins, const std::string& key = "plugin_number_") {
  v1::ListWorkersResponse workers;
  for (int at = 0; at < plugins; ++at) add_worker(workers, key + std::to_string(at), at);
  return {.rows = top_rows(workers, {}, after(1h), TopOrder::key), .unix_ms = 1'000'000};
}

}  // namespace

TEST_CASE("processor use is the average since the start at the first look") {
  ProcessorUse use;
  use.note(one_worker(5), after(10s));
  CHECK(use.percent("a") == Approx(50));
  CHECK(use.percent("b") == 0);
}

TEST_CASE("processor use is what came since the look before") {
  ProcessorUse use;
  use.note(one_worker(5), after(10s));
  use.note(one_worker(6), after(12s));
  CHECK(use.percent("a") == Approx(50));
  use.note(one_worker(10), after(14s));
  CHECK(use.percent("a") == Approx(200));
  use.note(one_worker(10), after(16s));
  CHECK(use.percent("a") == Approx(0));
}

TEST_CASE("looks that follow each other fast are compared over a longer time") {
  ProcessorUse use;
  // Half of a processor; but the number that is seen is renewed once a second.
  for (int at = 0; at <= 100; ++at) {
    use.note(one_worker(0.5 * (at / 10)), after(100ms * at + 1s));
    if (at >= 30) CHECK(use.percent("a") == Approx(50).margin(26));
  }
}

TEST_CASE("processor use of another worker is not mixed with that of the one before") {
  ProcessorUse use;
  use.note(one_worker(500, 1), after(1000s));
  use.note(one_worker(1, 2), after(1002s));
  CHECK(use.percent("a") >= 0);
  CHECK(use.percent("a") < 1);
  v1::ListWorkersResponse none;
  use.note(none, after(1004s));
  CHECK(use.percent("a") == 0);
}

TEST_CASE("rows of the same amount stand by key") {
  v1::ListWorkersResponse workers;
  for (const char* key : {"b", "c", "a"}) add_worker(workers, key, 0).set_memory_bytes(7);
  workers.mutable_rows(1)->mutable_worker()->set_memory_bytes(8);
  const auto rows = top_rows(workers, {}, after(1s), TopOrder::memory);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].key == "c");
  CHECK(rows[1].key == "a");
  CHECK(rows[2].key == "b");
}

TEST_CASE("plugins without a process stand below those that have one") {
  v1::ListWorkersResponse workers;
  for (const char* key : {"a", "b"}) add_worker(workers, key, 0);
  workers.mutable_rows(0)->mutable_worker()->set_pid(0);
  for (const auto order : {TopOrder::cpu, TopOrder::memory, TopOrder::calls})
    CHECK(top_rows(workers, {}, after(1s), order)[0].key == "b");
  CHECK(top_rows(workers, {}, after(1s), TopOrder::key)[0].key == "a");
}

TEST_CASE("a worker whose heartbeat is not well is told beside its state") {
  v1::ListWorkersResponse workers;
  add_worker(workers, "a", 0).mutable_heartbeat()->set_pulse(v1::PULSE_WEDGED);
  add_worker(workers, "b", 0).mutable_heartbeat()->set_pulse(v1::PULSE_BUSY);
  const TopPage page{.rows = top_rows(workers, {}, after(1s), TopOrder::key)};
  CHECK(top_text(page, {}, false).find("running, wedged") != std::string::npos);
  CHECK(top_text(page, {}, false).find("busy") == std::string::npos);
}

TEST_CASE("memory is what its limit tells, with all that the worker started") {
  v1::ListWorkersResponse workers;
  auto& worker = add_worker(workers, "a", 0);
  worker.set_memory_bytes(10);
  CHECK(top_rows(workers, {}, after(1s), TopOrder::cpu)[0].memory_bytes == 10);
  worker.mutable_limits()->set_memory_used_bytes(30);
  CHECK(top_rows(workers, {}, after(1s), TopOrder::cpu)[0].memory_bytes == 30);
}

TEST_CASE("a page fits every size of terminal that has room for a row") {
  for (const auto& key : {"plugin_number_", "日本語のとても長いプラグインの名前です_", "x"})
    for (std::size_t columns = 20; columns < 160; columns += 7)
      for (std::size_t lines = 6; lines < 30; lines += 5) {
        INFO(key << " " << columns << "x" << lines);
        auto page = page_of(20, key);
        page.footer = std::string(200, 'f');
        const auto shown = lines_of(top_text(page, {columns, lines}, false));
        CHECK(shown.size() <= lines);
        for (const auto& line : shown) CHECK(display_width(line) <= columns);
        const auto coloured = lines_of(top_text(page, {columns, lines}, true));
        CHECK(coloured.size() == shown.size());
      }
}

TEST_CASE("rows that do not fit are counted") {
  const auto text = top_text(page_of(20), {120, 10}, false);
  CHECK(text.find("... and 15 more") != std::string::npos);
  CHECK(top_text(page_of(3), {120, 10}, false).find("more") == std::string::npos);
  CHECK(top_text(page_of(6), {120, 10}, false).find("more") == std::string::npos);
  CHECK(lines_of(top_text(page_of(2000), {}, false)).size() == 2004);
}

TEST_CASE("a narrow page keeps what matters most") {
  const auto text = top_text(page_of(3), {40, 24}, false);
  for (const char* title : {"PLUGIN", "STATE", "CPU %"})
    CHECK(text.find(title) != std::string::npos);
  CHECK(text.find("GEN") == std::string::npos);
}

TEST_CASE("what a notice holds of other people's text is harmless on top's page") {
  auto page = page_of(1, "a\x1b[2J");
  page.notice = "away\x1b]0;title\x07\n\n";
  const auto text = top_text(page, {120, 20}, false);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(lines_of(text).size() == 6);
}

TEST_CASE("uptimes are short") {
  CHECK(uptime_text(0) == "0s");
  CHECK(uptime_text(59'999) == "59s");
  CHECK(uptime_text(185'000) == "3m05s");
  CHECK(uptime_text(7'800'000) == "2h10m");
  CHECK(uptime_text(442'800'000) == "5d03h");
}
