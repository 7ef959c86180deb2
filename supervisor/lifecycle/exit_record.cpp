#include "supervisor/lifecycle/exit_record.h"

#include <cstring>
#include <sstream>

#include "supervisor/sys/file.h"

namespace supervisor::lifecycle {

ExitRecord ExitRecord::read(const std::filesystem::path& path) {
  try {
    return parse(sys::read_file(path, 4096));
  } catch (const std::exception&) {
    return {};
  }
}

ExitRecord ExitRecord::parse(const std::string& text) {
  ExitRecord record;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string what;
    words >> what;
    if (what == "began") {
      int in_namespace = 0;
      words >> record.init_pid >> in_namespace;
      record.pid_namespace = in_namespace != 0;
    } else if (what == "failed") {
      std::string step;
      int error = 0;
      words >> step >> error;
      record.failed_step = step + ": " + std::strerror(error);
    } else if (what == "exited" || what == "signalled") {
      int code = 0;
      words >> code;
      if (words) record.status = sys::ExitStatus{.signalled = what == "signalled", .code = code};
    }
  }
  return record;
}

}  // namespace supervisor::lifecycle
