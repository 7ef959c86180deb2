#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "supervisor/logs/line_splitter.h"
#include "supervisor/logs/log_book.h"
#include "supervisor/logs/printable_text.h"

using namespace supervisor;
using logs::printable_text;

namespace {

v1::LogLine line(const std::string& text, std::uint64_t generation = 1,
                 v1::LogSource source = v1::LOG_SOURCE_STDOUT) {
  v1::LogLine result;
  result.set_text(text);
  result.set_generation(generation);
  result.set_source(source);
  return result;
}

}  // namespace

TEST_CASE("control characters cannot reach a terminal") {
  CHECK(printable_text("a\x1b[31mred\r\n") == "a\\x1b[31mred\\x0d\\x0a");
  CHECK(printable_text(std::string_view("nul\0!", 5)) == "nul\\x00!");
  CHECK(printable_text("\xc2\x9b"
                       "31m") == "\\x9b31m");
  CHECK(printable_text("tab\tstays") == "tab\tstays");
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
  logs::LineSplitter lines([&](std::string text) { seen.push_back(std::move(text)); });
  lines.feed("one\ntw");
  lines.feed("o\r\n\nthree");
  CHECK(seen == std::vector<std::string>{"one", "two", ""});
  lines.finish();
  CHECK(seen.back() == "three");
}

TEST_CASE("a line that never ends is held in bounded memory") {
  std::vector<std::string> seen;
  logs::LineSplitter lines([&](std::string text) { seen.push_back(std::move(text)); });
  const std::string block(1u << 20, 'y');
  for (int i = 0; i < 20; ++i) lines.feed(block);
  lines.feed("\nnext\n");
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].size() < logs::max_line_bytes + 100);
  CHECK(seen[0].find("20971520 bytes") != std::string::npos);
  CHECK(seen[1] == "next");
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
  book.append(line("old", 1));
  book.append(line("said by the supervisor", 2, v1::LOG_SOURCE_SUPERVISOR));
  book.append(line("a", 2));
  book.append(line("b", 2, v1::LOG_SOURCE_LOGGER));
  CHECK(book.last_texts(2, 10) == std::vector<std::string>{"a", "b"});
  CHECK(book.last_texts(2, 1) == std::vector<std::string>{"b"});
}

TEST_CASE("a follower sees every line after the tail it was given, until it leaves") {
  logs::LogBook book;
  book.append(line("before"));
  std::vector<std::string> seen;
  logs::LogBook::FollowerId id = 0;
  const auto history = book.tail(
      0, [&](const v1::LogLine& l) { seen.push_back(l.text()); }, &id);
  REQUIRE(history.size() == 1);
  book.append(line("after"));
  CHECK(seen == std::vector<std::string>{"after"});
  book.unfollow(id);
  book.append(line("later"));
  CHECK(seen.size() == 1);
}
