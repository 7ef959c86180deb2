#include <catch2/catch.hpp>
#include <sstream>

#include "supervisor/cli/duration.h"
#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/json_input.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/settling.h"
#include "supervisor/cli/socket_path.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/sys/json_slice.h"

using namespace supervisor;
using namespace supervisor::cli;
using namespace std::chrono_literals;

TEST_CASE("durations are read in the units people write") {
  CHECK(parse_duration("30s") == 30s);
  CHECK(parse_duration("30") == 30s);
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("1.5m") == 90s);
  CHECK(parse_duration("2min") == 120s);
  CHECK(parse_duration("24h") == 24h);
  CHECK(parse_duration("7d", 240h) == 168h);
}

TEST_CASE("what is not a duration within the bounds is refused") {
  for (const char* text : {"", "s", "-1s", "0", "0s", "0.1ms", "25h", "10 s", "1e3s", "1.2.3s",
                           "5d", "nan", "inf", "0x10s", "99999999999999999999s"}) {
    INFO(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("every reason has an exit code and none of them is success") {
  const auto* reasons = v1::Reason_descriptor();
  for (int at = 0; at < reasons->value_count(); ++at) {
    INFO(reasons->value(at)->name());
    const auto code = exit_code(static_cast<v1::Reason>(reasons->value(at)->number()));
    CHECK(code != ExitCode::ok);
    CHECK(static_cast<int>(code) <= 6);
  }
}

TEST_CASE("scripts can tell the kinds of failure apart") {
  CHECK(exit_code(v1::REASON_PLUGIN_RAISED) == ExitCode::failed);
  CHECK(exit_code(v1::REASON_WORKER_KILLED_BY_SIGNAL) == ExitCode::failed);
  CHECK(exit_code(v1::REASON_INVALID_REQUEST) == ExitCode::usage);
  CHECK(exit_code(v1::REASON_PLUGIN_NOT_FOUND) == ExitCode::not_found);
  CHECK(exit_code(v1::REASON_PLUGIN_DISABLED) == ExitCode::not_ready);
  CHECK(exit_code(v1::REASON_IMPORT_FAILED) == ExitCode::not_ready);
  CHECK(exit_code(v1::REASON_SUPERVISOR_UNAVAILABLE) == ExitCode::unreachable);
  CHECK(exit_code(v1::REASON_DEADLINE_EXCEEDED) == ExitCode::timed_out);
  CHECK(exit_code(static_cast<v1::Reason>(99999)) == ExitCode::failed);
}

TEST_CASE("every exit code stands in the help") {
  for (const char* line : {"  0 ", "  1 ", "  2 ", "  3 ", "  4 ", "  5 ", "  6 "})
    CHECK(exit_code_help().find(line) != std::string::npos);
}

TEST_CASE("control characters of a plugin become visible and harmless") {
  CHECK(safe_line("a\x1b[31mb") == "a\\x1b[31mb");
  CHECK(safe_line("a\r\nb\tc") == "a\\r\\nb\\tc");
  CHECK(safe_line("\x7f") == "\\x7f");
  CHECK(safe_line("\xC2\x9B"
                  "2J") == "\\u009b2J");
  CHECK(safe_line("evil\xE2\x80\xAEtxt.exe") == "evil\\u202etxt.exe");
  CHECK(safe_line(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(safe_line("gr\xC3\xBC\xC3\x9F \xE6\x97\xA5") == "gr\xC3\xBC\xC3\x9F \xE6\x97\xA5");
  CHECK(safe_lines("one\n\ttwo\x1b") == "one\n\ttwo\\x1b");
}

TEST_CASE("bytes that are not UTF-8 are replaced one by one") {
  CHECK(safe_line("a\xFFz") == "a\xEF\xBF\xBDz");
  CHECK(safe_line("\xC0\xAF") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  CHECK(safe_line("\xE6\x97") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // cut short
  CHECK(safe_line("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // surrogate
}

TEST_CASE("JSON made harmless keeps its value") {
  CHECK(safe_json("{\"a\": \"\x7f\xC2\x9B\"}") == "{\"a\": \"\\u007f\\u009b\"}");
  CHECK(safe_json("{\n\t\"a\": 1}") == "{\n\t\"a\": 1}");
}

TEST_CASE("the width of text is what a terminal shows") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("\xC3\xBC") == 1);
  CHECK(display_width("\xE6\x97\xA5\xE6\x9C\xAC") == 4);
  CHECK(display_width("\xF0\x9F\x8E\xAC") == 2);
  CHECK(display_width("e\xCC\x81") == 1);
}

TEST_CASE("text is cut between characters and within its columns") {
  CHECK(cut_to_width("abcdef", 6) == "abcdef");
  CHECK(cut_to_width("abcdefg", 6) == "abcde\xE2\x80\xA6");
  CHECK(display_width(cut_to_width("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 4)) <= 4);
}

TEST_CASE("a table lines up whatever its cells hold") {
  Table table({{"KEY"}, {"NAME"}, {"PID", Table::Align::right}});
  table.add_row({{"a"}, {"\xE6\x97\xA5\xE6\x9C\xAC"}, {"7"}});
  table.add_row({{"longer"}, {"x\ny"}, {"1234"}});
  CHECK(table.render(false) ==
        "KEY     NAME   PID\n"
        "a       \xE6\x97\xA5\xE6\x9C\xAC     7\n"
        "longer  x\\ny  1234\n");
}

TEST_CASE("an empty cell is a dash, and no line ends in blanks") {
  Table table({{"A"}, {"B"}});
  table.add_row({{"long enough"}, {""}});
  table.add_row({{"x"}});
  CHECK(table.render(false) == "A            B\nlong enough  -\nx            -\n");
}

TEST_CASE("colours are written only when asked for") {
  Table table({{"STATE"}});
  table.add_row({state_cell(v1::PLUGIN_STATE_RUNNING)});
  CHECK(table.render(false).find('\x1b') == std::string::npos);
  CHECK(table.render(true) == "STATE\n\x1b[32mrunning\x1b[0m\n");
}

TEST_CASE("a quoted string is JSON whatever it held") {
  CHECK(json_quote("a\"b\\c\n\x01") == R"("a\"b\\c\n\u0001")");
  CHECK(json_quote("\xFF\x1b") == "\"\xEF\xBF\xBD\\u001b\"");
  for (int byte = 0; byte < 256; ++byte) {
    INFO(byte);
    CHECK(sys::json_error(json_quote(std::string(1, static_cast<char>(byte)))).empty());
  }
}

TEST_CASE("pretty JSON keeps numbers and strings byte for byte") {
  CHECK(pretty_json(
            R"({"big":12345678901234567890123,"s":"a\u0041,{","e":{},"l":[1,true],"n":[ ]})") ==
        "{\n"
        "  \"big\": 12345678901234567890123,\n"
        "  \"s\": \"a\\u0041,{\",\n"
        "  \"e\": {},\n"
        "  \"l\": [\n"
        "    1,\n"
        "    true\n"
        "  ],\n"
        "  \"n\": []\n"
        "}");
  CHECK(pretty_json("3.0") == "3.0");
}

TEST_CASE("setting a member leaves all others as they were") {
  const std::string stored = R"({"big": 12345678901234567890123, "a":[1,{"x":"}"}] ,"s":"\ud800"})";
  CHECK(with_member(stored, "a", "2") ==
        R"({"big": 12345678901234567890123, "a": 2, "s": "\ud800"})");
  CHECK(with_member("{}", "new", "\"v\"") == R"({"new": "v"})");
  CHECK(with_member(R"({"\u0061":1})", "a", "2") == R"({"\u0061": 2})");
  CHECK(with_member(R"({"a":1,"a":2,"b":3})", "a", "4") == R"({"a": 4, "b": 3})");
  CHECK(with_member("{ }", "a", "1") == R"({"a": 1})");
}

TEST_CASE("an input that is not a JSON object is refused with the place of the error") {
  std::istringstream none;
  const auto broken = read_json_object("--params", "{\"a\":", none);
  REQUIRE(broken.has_error());
  CHECK(exit_code(broken.error().reason()) == ExitCode::usage);
  CHECK(broken.error().message().find("byte") != std::string::npos);
  CHECK(read_json_object("--params", "[1]", none).has_error());
  CHECK(read_json_object("--params", "@/does/not/exist", none).has_error());
}

TEST_CASE("an input may come from stdin") {
  std::istringstream in("{\"a\": 1}\n");
  CHECK(*read_json_object("--params", "-", in) == "{\"a\": 1}\n");
}

TEST_CASE("the socket is chosen by option, then environment, then place") {
  CHECK(choose_socket("/a", "/b", "/nowhere") == "/a");
  CHECK(choose_socket("", "/b", "/nowhere") == "/b");
  CHECK(choose_socket("", "", "/nowhere") == system_socket);
  CHECK(choose_socket("", nullptr, "/nowhere") == system_socket);
}

TEST_CASE("a socket path survives being read as a URI") {
  CHECK(grpc_address("/run/a.sock") == "unix:/run/a.sock");
  CHECK(grpc_address("/t mp/50%?#") == "unix:/t%20mp/50%25%3F%23");
}

TEST_CASE("times and sizes are written in full") {
  CHECK(utc_time(0).empty());
  CHECK(utc_time(1'772'366'400'250'000) == "2026-03-01T12:00:00.250Z");
  CHECK(memory_text(3'400'000) == "3.4 MB");
}

TEST_CASE("the last crash is told in a word") {
  v1::Worker worker;
  CHECK(crash_word(worker).empty());
  worker.mutable_last_crash()->set_reason(v1::REASON_WORKER_EXITED);
  worker.mutable_last_crash()->set_exit_code(3);
  CHECK(crash_word(worker) == "exit 3");
  worker.mutable_last_crash()->set_reason(v1::REASON_WORKER_KILLED_BY_SIGNAL);
  worker.mutable_last_crash()->set_signal("SIGSEGV");
  CHECK(crash_word(worker) == "SIGSEGV");
}

TEST_CASE("a plugin is one JSON object even when the supervisor knows little of it") {
  v1::Plugin plugin;
  plugin.set_key("x");
  const std::string json = plugin_json(plugin);
  CHECK(sys::json_error(json).empty());
  CHECK(sys::json_member(json, "fields") == "[]");
  CHECK(sys::json_member(json, "settings") == "{}");
  CHECK(sys::json_member(json, "load_error") == "null");
}

TEST_CASE("a plugin's own JSON passes through byte for byte") {
  v1::Plugin plugin;
  plugin.set_settings_json(R"({"n":1.0,"big":123456789012345678901234567890})");
  CHECK(sys::json_member(plugin_json(plugin), "settings") == plugin.settings_json());
}

TEST_CASE("a failure is told with its hint and evidence, line by line and harmless") {
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal(out, err, {});
  terminal.use_json(true);
  auto failure =
      make_failure(v1::REASON_WORKER_KILLED_BY_SIGNAL, "run", "died\x1b[2J", "look", "p");
  failure.set_signal("SIGSEGV");
  failure.add_evidence("Traceback:\n  line two\n");
  CHECK(terminal.fail(failure) == ExitCode::failed);
  CHECK(err.str() == "pluginctl: died\\x1b[2J\n  hint: look\n  | Traceback:\n  |   line two\n");
  REQUIRE(sys::json_error(out.str()).empty());
  CHECK(sys::json_member(out.str(), "code") == "\"worker_killed_by_signal\"");
  CHECK(sys::json_member(out.str(), "signal") == "\"SIGSEGV\"");
  CHECK(sys::json_member(out.str(), "success") == "false");
}

TEST_CASE("enabling succeeds only when the plugin runs") {
  v1::Plugin plugin;
  plugin.mutable_worker()->set_state(v1::PLUGIN_STATE_RUNNING);
  CHECK_FALSE(unsettled(plugin, true));
  plugin.mutable_worker()->set_state(v1::PLUGIN_STATE_STARTING);
  CHECK(exit_code(unsettled(plugin, true)->reason()) == ExitCode::timed_out);
  plugin.mutable_worker()->set_state(v1::PLUGIN_STATE_LOAD_FAILED);
  CHECK(unsettled(plugin, true)->reason() == v1::REASON_NOT_LOADED);
  plugin.mutable_load_error()->set_reason(v1::REASON_IMPORT_FAILED);
  CHECK(unsettled(plugin, true)->reason() == v1::REASON_IMPORT_FAILED);
}

TEST_CASE("disabling succeeds only when no process is left") {
  v1::Plugin plugin;
  plugin.mutable_worker()->set_state(v1::PLUGIN_STATE_DISABLED);
  CHECK_FALSE(unsettled(plugin, false));
  plugin.mutable_worker()->set_state(v1::PLUGIN_STATE_STOPPING);
  plugin.mutable_worker()->set_pid(7);
  CHECK(exit_code(unsettled(plugin, false)->reason()) == ExitCode::timed_out);
}
