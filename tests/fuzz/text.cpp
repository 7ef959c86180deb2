// Text of plugins on its way to a log, a terminal and a wire that takes only
// UTF-8; and the lines that a log file is read back from.
#include "supervisor/catalog/utf8.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/logs/job_mark.h"
#include "supervisor/logs/line_splitter.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/stored_line.h"
#include "tests/fuzz/expect.h"

namespace {

using namespace supervisor;
using fuzz::expect;

bool is_plain(std::string_view text, std::string_view allowed) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 || byte == 0x7f) && allowed.find(c) == std::string_view::npos) return false;
  }
  return catalog::is_utf8(text);
}

// The same lines, however the bytes come in.
void check_lines(std::string_view bytes) {
  std::string whole;
  std::string pieces;
  const auto into = [](std::string& all) {
    return logs::LineSplitter([&all](const logs::RawLine& line) {
      auto raw = line;
      const auto job = logs::take_job_mark(raw.head);
      expect(job.size() <= line.head.size(), "a mark is part of its line");
      const auto text = logs::printable_line(line);
      expect(is_plain(text, "\t"), "a printed line is printable", text);
      all += text + "\n";
    });
  };
  auto at_once = into(whole);
  at_once.feed(bytes);
  at_once.finish();
  auto by_pieces = into(pieces);
  for (std::size_t at = 0; at < bytes.size(); at += 7) by_pieces.feed(bytes.substr(at, 7));
  by_pieces.finish();
  expect(whole == pieces, "lines do not depend on how their bytes come", whole);
}

void check_stored(std::string_view text) {
  const auto read = logs::parse_stored_line(text);
  if (read) logs::stored_line("sample", *read);
  logs::NumberedLine line;
  line.number = text.size();
  line.line.set_time_unix_us(1'700'000'000'000'000);
  line.line.set_text(logs::printable_text(text));
  const auto again = logs::parse_stored_line(logs::stored_line("sample", line));
  expect(again && again->number == line.number && again->line.text() == line.line.text(),
         "a stored line reads back the same", line.line.text());
}

void check_terminal(std::string_view text) {
  const auto line = cli::safe_line(text);
  expect(is_plain(line, ""), "a line for a terminal is harmless", line);
  expect(is_plain(cli::safe_lines(text), "\n\t"), "lines for a terminal are harmless");
  expect(catalog::is_utf8(cli::valid_utf8(text)), "what was made UTF-8 is");
  const auto columns = text.size() % 40 + 1;
  const auto cut = cli::cut_to_width(line, columns);
  expect(cli::display_width(cut) <= columns, "what is cut fits", cut);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  expect(is_plain(logs::printable_text(text), "\t"), "printable text is", std::string(text));
  expect(is_plain(logs::printable_lines(text), "\t\n"), "printable lines are");
  expect(is_plain(catalog::escape_bytes(text, "~x"), ""), "escaped bytes are printable");
  expect(catalog::utf8_length(catalog::escape_bytes(text, "~x")) <= 4 * size,
         "escaping grows a byte to four");
  check_lines(text);
  check_stored(text);
  check_terminal(text);
  return 0;
}
