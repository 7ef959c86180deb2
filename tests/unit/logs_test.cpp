#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "supervisor/logs/job_mark.h"
#include "supervisor/logs/line_splitter.h"
#include "supervisor/logs/log_shelf.h"
#include "supervisor/logs/printable_text.h"

using namespace supervisor;
using logs::printable_text;
using logs::take_job_mark;

namespace {

v1::LogLine line(const std::string& text, std::uint64_t generation = 1,
                 v1::LogSource source = v1::LOG_SOURCE_STDOUT) {
  v1::LogLine result;
  result.set_text(text);
  result.set_generation(generation);
  result.set_source(source);
  return result;
}

std::vector<std::string> texts(const std::vector<v1::LogLine>& lines) {
  std::vector<std::string> result;
  for (const auto& each : lines) result.push_back(each.text());
  return result;
}

// A directory of the test's own, gone with it.
struct Directory {
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "logs_test.XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

std::uintmax_t bytes_in(const std::filesystem::path& directory) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    bytes += entry.file_size();
  return bytes;
}

}  // namespace

TEST_CASE("control characters cannot reach a terminal") {
  CHECK(printable_text("a\x1b[31mred\r\n") == "a\\x1b[31mred\\x0d\\x0a");
  CHECK(printable_text(std::string_view("nul\0!", 5)) == "nul\\x00!");
  CHECK(printable_text("\xc2\x9b"
                       "31m") == "\\x9b31m");
  CHECK(printable_text("tab\tstays") == "tab\tstays");
}

TEST_CASE("characters that reorder or separate lines become visible") {
  CHECK(printable_text("a\xe2\x80\xae"
                       "b") == "a\\u202eb");
  CHECK(printable_text("\xe2\x80\xa8") == "\\u2028");
  CHECK(printable_text("\xe2\x81\xa6") == "\\u2066");
  CHECK(printable_text("\xd8\x9c") == "\\u061c");
  CHECK(printable_text("\xef\xbb\xbf") == "\\ufeff");
  CHECK(printable_text("\xd8\xa7\xe2\x82\xac") == "\xd8\xa7\xe2\x82\xac");  // Arabic, euro.
}

TEST_CASE("bytes that are not UTF-8 are replaced, valid text stays") {
  CHECK(printable_text("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80") ==
        "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
  CHECK(printable_text("\xff") == "\xef\xbf\xbd");
  CHECK(printable_text("\xc0\xaf") == "\xef\xbf\xbd\xef\xbf\xbd");          // Overlong.
  CHECK(printable_text("\xed\xa0\x80").find("\xed") == std::string::npos);  // Surrogate.
  CHECK(printable_text("cut \xe2\x82") == "cut \xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("a long text is cut and says how long it was") {
  const auto text = printable_text(std::string(100000, 'x'), 100);
  CHECK(text == std::string(100, 'x') + "... (cut, 100000 bytes)");
}

TEST_CASE("lines are joined across reads and the last one needs no newline") {
  std::vector<std::string> seen;
  logs::LineSplitter lines(
      [&](const logs::RawLine& raw) { seen.push_back(logs::printable_line(raw)); });
  lines.feed("one\ntw");
  lines.feed("o\r\n\nthree");
  CHECK(seen == std::vector<std::string>{"one", "two", ""});
  lines.finish();
  CHECK(seen.back() == "three");
}

TEST_CASE("a line that never ends is held in bounded memory") {
  std::vector<std::string> seen;
  logs::LineSplitter lines(
      [&](const logs::RawLine& raw) { seen.push_back(logs::printable_line(raw)); });
  const std::string block(1u << 20, 'y');
  for (int i = 0; i < 20; ++i) lines.feed(block);
  lines.feed("\nnext\n");
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].size() < logs::max_line_bytes + 100);
  CHECK(seen[0].find("20971520 bytes") != std::string::npos);
  CHECK(seen[1] == "next");
}

TEST_CASE("the mark of a job is taken off a line, and only a whole one at its beginning") {
  const auto taken = [](std::string_view line) {
    const auto job = take_job_mark(line);
    return std::pair(std::string(job), std::string(line));
  };
  CHECK(taken("\x1ejob:1m898\x1ehello") == std::pair<std::string, std::string>("1m898", "hello"));
  CHECK(taken("\x1ejob:1m898\x1e") == std::pair<std::string, std::string>("1m898", ""));
  CHECK(taken("\x1ejob:\x1ex") == std::pair<std::string, std::string>("", "x"));
  const auto stays = {std::string("hello"), std::string(" \x1ejob:1\x1ex"),
                      std::string("\x1ejob:1"), std::string("\x1ejob:a b\x1ex"),
                      "\x1ejob:" + std::string(65, '1') + "\x1ex"};
  for (const auto& line : stays) CHECK(taken(line) == std::pair(std::string(), line));
}

TEST_CASE("a log book keeps the newest lines within its limits") {
  logs::LogBook book({.max_lines = 3, .max_bytes = 100});
  for (int i = 0; i < 5; ++i) book.append(line(std::to_string(i)));
  const auto kept = book.tail(0);
  REQUIRE(kept.size() == 3);
  CHECK(kept[0].text() == "2");
  CHECK(book.tail(1)[0].text() == "4");
  book.append(line(std::string(90, 'z')));
  book.append(line(std::string(90, 'w')));
  CHECK(book.tail(0).size() == 1);
}

TEST_CASE("evidence is of one generation and of the worker itself") {
  logs::LogBook book;
  const auto print = [&book](const std::string& text, std::uint64_t generation) {
    book.take_printed({text, text.size()}, v1::LOG_SOURCE_STDOUT, generation);
  };
  print("old", 1);
  book.append(line("said by the supervisor", 2, v1::LOG_SOURCE_SUPERVISOR));
  print("a", 2);
  v1::LogBatch batch;
  batch.add_lines()->set_text("b");
  book.take_logged(batch, 2);
  CHECK(book.last_texts(2, 10) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a flood on standard output does not hide what was said elsewhere last") {
  logs::LogBook book;
  const auto print = [&book](const std::string& text, v1::LogSource source) {
    book.take_printed({text, text.size()}, source, 1);
  };
  for (int i = 0; i < 30; ++i) print("error " + std::to_string(i), v1::LOG_SOURCE_STDERR);
  for (int i = 0; i < 30; ++i) print("flood " + std::to_string(i), v1::LOG_SOURCE_STDOUT);
  const auto evidence = book.last_texts(1, 20);
  REQUIRE(evidence.size() == 20);
  CHECK(evidence[0] == "error 20");
  CHECK(evidence[9] == "error 29");
  CHECK(evidence[10] == "flood 20");
  CHECK(evidence[19] == "flood 29");
  CHECK(book.last_texts(1, 4) ==
        std::vector<std::string>{"error 28", "error 29", "flood 28", "flood 29"});
}

TEST_CASE("a follower sees every line after the tail it was given, until it leaves") {
  logs::LogBook book;
  book.append(line("before"));
  std::vector<std::string> seen;
  logs::LogBook::FollowerId id = 0;
  const auto history = book.tail(
      0, {}, [&](const v1::LogLine& l) { seen.push_back(l.text()); }, &id);
  REQUIRE(history.size() == 1);
  book.append(line("after"));
  CHECK(seen == std::vector<std::string>{"after"});
  book.unfollow(id);
  book.append(line("later"));
  CHECK(seen.size() == 1);
}

TEST_CASE("a reader gets only the lines it asks for, and the tail counts those") {
  logs::LogBook book;
  const auto add = [&book](const std::string& text, v1::LogLevel level, const std::string& job,
                           std::int64_t time) {
    auto added = line(text);
    added.set_level(level);
    added.set_job(job);
    added.set_time_unix_us(time);
    book.append(added);
  };
  add("old error", v1::LOG_LEVEL_ERROR, "", 10);
  add("warning", v1::LOG_LEVEL_WARNING, "j1", 20);
  add("chatter", v1::LOG_LEVEL_INFO, "j1", 30);
  add("error", v1::LOG_LEVEL_ERROR, "j2", 40);
  CHECK(texts(book.tail(2, {.min_level = v1::LOG_LEVEL_WARNING})) ==
        std::vector<std::string>{"warning", "error"});
  CHECK(texts(book.tail(0, {.job = "j1"})) == std::vector<std::string>{"warning", "chatter"});
  CHECK(texts(book.tail(0, {.since_unix_us = 30})) == std::vector<std::string>{"chatter", "error"});
}

TEST_CASE("a plugin may log so much at once and so much per second") {
  using namespace std::chrono_literals;
  const logs::LineBudget::Clock::time_point start{1h};
  logs::LineBudget budget({.lines_per_second = 10, .bytes_per_second = 0, .burst = 2000ms});
  int kept = 0;
  for (int i = 0; i < 100; ++i) kept += budget.spend(1, start) ? 1 : 0;
  CHECK(kept == 20);
  for (int i = 0; i < 100; ++i) kept += budget.spend(1, start + 500ms) ? 1 : 0;
  CHECK(kept == 25);

  logs::LineBudget bytes({.lines_per_second = 0, .bytes_per_second = 1000, .burst = 1000ms});
  CHECK(bytes.spend(900, start));
  CHECK(bytes.spend(8000, start));  // Into debt, and then nothing for a while.
  CHECK(!bytes.spend(1, start + 1s));
  CHECK(bytes.spend(1, start + 9s));
}

TEST_CASE("lines over the rate are dropped, counted and told, and still evidence") {
  logs::LogBook book({.rate = {.lines_per_second = 2, .burst = std::chrono::seconds(1)}});
  for (int i = 0; i < 50; ++i) {
    const auto text = "line " + std::to_string(i);
    book.take_printed({text, text.size()}, v1::LOG_SOURCE_STDOUT, 7);
  }
  CHECK(book.dropped() == 48);
  const auto lines = book.tail(0);
  REQUIRE(lines.size() == 3);
  CHECK(lines[1].text() == "line 1");
  CHECK(lines[2].text().starts_with("48 log lines"));
  CHECK(lines[2].source() == v1::LOG_SOURCE_SUPERVISOR);
  CHECK(book.last_texts(7, 2) == std::vector<std::string>{"line 48", "line 49"});
}

TEST_CASE("nothing a worker says of its lines is believed but their words") {
  logs::LogBook book;
  v1::LogBatch batch;
  auto& told = *batch.add_lines();
  told.set_text("x\n");
  told.set_source(v1::LOG_SOURCE_SUPERVISOR);
  told.set_generation(99);
  told.set_time_unix_us(1);
  told.set_level(static_cast<v1::LogLevel>(1234));
  told.set_job("job\x1b");
  book.take_logged(batch, 3);
  const auto kept = book.tail(0).at(0);
  CHECK(kept.text() == "x\\x0a");
  CHECK(kept.source() == v1::LOG_SOURCE_LOGGER);
  CHECK(kept.generation() == 3);
  CHECK(kept.time_unix_us() > 1'000'000'000'000'000);
  CHECK(kept.level() == v1::LOG_LEVEL_CRITICAL);
  CHECK(kept.job() == "job\\x1b");
}

TEST_CASE("a stored line comes back as it was") {
  logs::NumberedLine stored;
  stored.number = 812;
  stored.line = line("say \"hello\" \\ \xc3\xbc\t.", 3, v1::LOG_SOURCE_STDERR);
  stored.line.set_time_unix_us(1'772'366'400'250'113);
  stored.line.set_level(v1::LOG_LEVEL_WARNING);
  stored.line.set_job("j1");
  stored.line.set_logger("some.module");
  const auto json = logs::stored_line("pl\"ug", stored);
  CHECK(json.find("\"time\":\"2026-03-01T12:00:00.250113Z\"") != std::string::npos);
  CHECK(json.ends_with("}\n"));
  const auto back = logs::parse_stored_line(json);
  REQUIRE(back);
  CHECK(back->number == 812);
  CHECK(back->line.SerializeAsString() == stored.line.SerializeAsString());
  CHECK(!logs::parse_stored_line("{\"time\":\"2026"));
  CHECK(!logs::parse_stored_line("[]"));
}

TEST_CASE("every key gives a file name of its own, inside the directory") {
  CHECK(logs::file_name_of("my-plugin_2") == "my-plugin_2");
  CHECK(logs::file_name_of("..") == "%2E.");
  CHECK(logs::file_name_of("a/b") == "a%2Fb");
  CHECK(logs::file_name_of(std::string(128, '\xc3')).size() <= 200);
  CHECK(logs::file_name_of(std::string(128, '\xc3')) !=
        logs::file_name_of(std::string(127, '\xc3') + "x"));
}

TEST_CASE("the files of a log stay within their size and number") {
  const Directory directory;
  logs::LogFile file(directory.path, "plugin", {.file_bytes = 1000, .files = 3});
  for (int i = 0; i < 200; ++i) file.append(std::string(99, 'a' + i % 26) + "\n");
  CHECK(bytes_in(directory.path) <= 3000);
  CHECK(std::filesystem::exists(directory.path / "plugin.log.2"));
  CHECK(!std::filesystem::exists(directory.path / "plugin.log.3"));
  const auto newest = file.tail(1u << 20);
  CHECK(newest.back() == std::string(99, 'a' + 199 % 26));
  CHECK(newest.size() >= 20);
  CHECK(file.tail(250).size() == 2);  // Whole lines only.
  file.append(std::string(5000, 'z').append("\n").append(std::string(10, 'y')).append("\n"));
  CHECK(file.tail(11) == std::vector<std::string>{std::string(10, 'y')});
}

TEST_CASE("a line that a killed process left half is not glued to the next") {
  const Directory directory;
  std::ofstream(directory.path / "plugin.log") << "whole\n{\"time\":\"20";
  logs::LogFile file(directory.path, "plugin", {});
  file.append("next\n");
  CHECK(file.tail(1000) == std::vector<std::string>{"whole", "{\"time\":\"20", "next"});
}

TEST_CASE("the next supervisor remembers the lines, their numbers and the evidence") {
  const Directory directory;
  {
    logs::LogShelf shelf({.directory = directory.path / "plugins"});
    const auto book = shelf.book("plugin");
    CHECK(shelf.book("plugin") == book);
    book->take_printed({"last words", 10}, v1::LOG_SOURCE_STDERR, 5);
    book->append(line("ended", 5, v1::LOG_SOURCE_SUPERVISOR));
  }
  logs::LogShelf shelf({.directory = directory.path / "plugins"});
  const auto book = shelf.book("plugin");
  CHECK(book->last_texts(5, 10) == std::vector<std::string>{"last words"});
  book->append(line("new", 6));
  CHECK(texts(book->tail(0)) == std::vector<std::string>{"last words", "ended", "new"});
  const auto mode = std::filesystem::status(directory.path / "plugins").permissions();
  CHECK(mode == std::filesystem::perms::owner_all);
}

TEST_CASE("lines that a full disk does not take are counted, and stay in memory") {
  const Directory directory;
  logs::LogShelf shelf({.directory = directory.path / "plugins"});
  const auto book = shelf.book("plugin");
  std::filesystem::remove_all(directory.path / "plugins");
  book->append(line("nowhere to go"));
  for (int i = 0; i < 1000 && shelf.lost() == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(shelf.lost() == 1);
  CHECK(texts(book->tail(0)) == std::vector<std::string>{"nowhere to go"});
}

TEST_CASE("a reader gets from the files what is no longer in memory") {
  const Directory directory;
  logs::LogShelf shelf({.directory = directory.path / "plugins", .books = {.max_lines = 10}});
  const auto book = shelf.book("plugin");
  for (int i = 1; i <= 100; ++i) {
    auto added = line(std::to_string(i));
    added.set_time_unix_us(i * 1'000'000);
    added.set_level(i % 10 == 0 ? v1::LOG_LEVEL_ERROR : v1::LOG_LEVEL_INFO);
    book->append(added);
  }
  const auto read = [&book](std::size_t count, const logs::LineFilter& filter) {
    const auto tail = book->look_back(count, filter);
    auto lines = book->older(tail, filter);
    lines.insert(lines.end(), tail.lines.begin(), tail.lines.end());
    return texts(lines);
  };
  for (int i = 0; i < 1000 && read(0, {}).size() < 100; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(read(0, {}).size() == 100);
  CHECK(read(0, {}).front() == "1");
  CHECK(read(15, {}).front() == "86");
  CHECK(read(3, {.min_level = v1::LOG_LEVEL_ERROR}) == std::vector<std::string>{"80", "90", "100"});
  CHECK(read(0, {.since_unix_us = 50'000'000}).front() == "50");
  // What is in memory is not read again.
  CHECK(book->look_back(10).missing == 0);
  CHECK(book->look_back(0, {.since_unix_us = 95'000'000}).missing == 0);
  CHECK(book->look_back(11).missing == 1);
}
