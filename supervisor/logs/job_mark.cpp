#include "supervisor/logs/job_mark.h"

#include <algorithm>
#include <cstddef>

namespace supervisor::logs {
namespace {

constexpr std::string_view begin = "\x1ejob:";
constexpr char end = '\x1e';
constexpr std::size_t longest_job = 64;

bool is_of_an_id(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

}  // namespace

std::string_view take_job_mark(std::string_view& line) {
  if (!line.starts_with(begin)) return {};
  const auto rest = line.substr(begin.size());
  const auto length = rest.substr(0, longest_job + 1).find(end);
  if (length == std::string_view::npos) return {};
  const auto job = rest.substr(0, length);
  if (!std::all_of(job.begin(), job.end(), is_of_an_id)) return {};
  line = rest.substr(length + 1);
  return job;
}

}  // namespace supervisor::logs
