// Rows and columns for people: cells are made harmless, columns line up by
// what a terminal shows rather than by bytes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace supervisor::cli {

class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
    std::size_t max_width = 48;  // Columns; a longer cell is cut.
  };
  /// `colour` is an SGR parameter such as "32"; empty = none.
  struct Cell {
    std::string text;
    std::string colour = {};
  };

  explicit Table(std::vector<Column> columns);

  /// Cells that are not given are empty; an empty cell is shown as "-".
  void add_row(std::vector<Cell> cells);

  /// The title line and the rows, each ended by a line end and without blanks
  /// before it. Colours are written only when `colours`.
  std::string render(bool colours) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace supervisor::cli
