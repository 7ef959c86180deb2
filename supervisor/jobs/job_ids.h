// The ids of jobs: 18 characters that sort by the time they were made, half of
// them secret, so that none can be guessed from another.
//
// Owned by the JobBook, which locks it.
#pragma once

#include <cstdint>
#include <string>

namespace supervisor::jobs {

class JobIds {
 public:
  /// Never the same twice. Throws std::system_error when the kernel gives no
  /// random bytes.
  std::string next(std::int64_t unix_ms);

 private:
  // Fetched for many ids at once: a system call for each would be felt.
  std::string random_;
  std::size_t used_ = 0;
};

/// Whether `id` is a text that may name a job: short, of letters, digits, "-"
/// and "_".
[[nodiscard]] bool is_job_id(const std::string& id);

}  // namespace supervisor::jobs
