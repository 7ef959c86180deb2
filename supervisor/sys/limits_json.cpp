#include "supervisor/sys/limits_json.h"

#include <array>
#include <charconv>
#include <string_view>

#include "supervisor/sys/failure.h"

namespace supervisor::sys {
namespace {

template <typename Number>
void append_number_or_null(std::string& out, Number number) {
  if (number == 0) {
    out += "null";
    return;
  }
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

// A list of a thousand plugins holds four thousand of these: appended, not put
// together from objects.
template <typename Limit>
void append_row(std::string& out, std::string_view name, Limit limit, v1::LimitMechanism by,
                std::uint64_t used) {
  out.append(out.size() > 1 ? ",\"" : "\"").append(name).append("\":{\"limit\":");
  append_number_or_null(out, limit);
  out.append(",\"by\":\"").append(mechanism_name(by)).append("\",\"used\":");
  append_number_or_null(out, used);
  out += '}';
}

}  // namespace

std::string mechanism_name(v1::LimitMechanism mechanism) {
  return lower_without_prefix(v1::LimitMechanism_Name(mechanism), "LIMIT_MECHANISM_");
}

std::string limits_json(const v1::LimitsReport& report) {
  std::string out = "{";
  append_row(out, "memory_bytes", report.memory_bytes(), report.memory_by(),
             report.memory_used_bytes());
  append_row(out, "cpus", report.cpus(), report.cpus_by(), 0);
  append_row(out, "processes", report.processes(), report.processes_by(), report.processes_used());
  append_row(out, "open_files", report.open_files(), report.open_files_by(),
             report.open_files_used());
  append_row(out, "disk_bytes", report.disk_bytes(), report.disk_by(), report.disk_used_bytes());
  out.pop_back();
  out.append(",\"full\":").append(report.disk_full() ? "true}" : "false}");
  out += '}';
  return out;
}

}  // namespace supervisor::sys
