#include "supervisor/cli/table.h"

#include <algorithm>

#include "supervisor/cli/safe_text.h"

namespace supervisor::cli {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add_row(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  for (std::size_t at = 0; at < cells.size(); ++at) {
    cells[at].text = cut_to_width(safe_line(cells[at].text), columns_[at].max_width);
    if (cells[at].text.empty()) cells[at].text = "-";
  }
  rows_.push_back(std::move(cells));
}

std::string Table::render(bool colours) const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_)
    for (std::size_t at = 0; at < row.size(); ++at)
      widths[at] = std::max(widths[at], display_width(row[at].text));

  std::string out;
  const auto write_line = [&](const std::vector<Cell>& cells) {
    std::string line;
    for (std::size_t at = 0; at < cells.size(); ++at) {
      const std::string blanks(widths[at] - display_width(cells[at].text), ' ');
      const bool coloured = colours && !cells[at].colour.empty();
      const std::string text =
          coloured ? "\x1b[" + cells[at].colour + "m" + cells[at].text + "\x1b[0m" : cells[at].text;
      if (at > 0) line += "  ";
      line += columns_[at].align == Align::right ? blanks + text : text + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.push_back({column.title});
  write_line(titles);
  for (const auto& row : rows_) write_line(row);
  return out;
}

}  // namespace supervisor::cli
