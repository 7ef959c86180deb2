// The floor: the same messages over a socketpair, one length and one message
// at a time, no gRPC; in Python protobuf, the json module and the plugin.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "supervisor/sys/unique_fd.h"
#include "tests/bench/link/python_process.h"

namespace bench {

class FloorSide {
 public:
  explicit FloorSide(const std::string& python);
  /// One call, answered when this returns. Throws.
  void call(const std::string& params);

 private:
  supervisor::sys::UniqueFd socket_;
  std::optional<PythonProcess> process_;
  std::uint64_t last_id_ = 0;
  std::string buffer_;
};

}  // namespace bench
