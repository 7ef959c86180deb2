// Where pluginctl writes: results on stdout, everything said to a person on
// stderr. Owned by main(); one thread.
#pragma once

#include <ostream>
#include <string_view>

#include "supervisor/cli/exit_code.h"
#include "supervisor/sys/failure.h"

namespace supervisor::cli {

class Terminal {
 public:
  struct Traits {
    bool interactive = false;  // stdout is a terminal.
    bool colours = false;
  };

  Terminal(std::ostream& out, std::ostream& err, Traits traits);

  /// Set once the command line is read.
  void use_json(bool json) { json_ = json; }

  bool json() const { return json_; }
  bool colours() const { return traits_.colours; }
  bool interactive() const { return traits_.interactive; }

  /// Writes `text` as it is; it must have been made harmless.
  void print(std::string_view text);

  /// A well-formed JSON value: on several lines for a person, on one for
  /// another program or with --json.
  void print_json(std::string_view json);

  void warn(std::string_view message);

  /// Explains the failure on stderr and, with --json, as one object on stdout.
  ExitCode fail(const Failure& failure);

  /// The words of fail() on stderr alone.
  void explain(const Failure& failure);

  /// Hands on what is buffered; false when stdout cannot take it.
  bool flush();

 private:
  std::ostream& out_;
  std::ostream& err_;
  Traits traits_;
  bool json_ = false;
};

/// What fail() writes with --json: the error body of the REST contract, with
/// the exit status.
std::string error_json(const Failure& failure);

}  // namespace supervisor::cli
