// A Python program started for the benchmark and killed with it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace bench {

class PythonProcess {
 public:
  /// `inherited` becomes descriptor 3 of the program. Throws.
  PythonProcess(const std::string& python, std::vector<std::string> arguments, int inherited);
  PythonProcess(const PythonProcess&) = delete;
  PythonProcess& operator=(const PythonProcess&) = delete;
  ~PythonProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

}  // namespace bench
