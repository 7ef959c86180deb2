#include "supervisor/sys/limits_json.h"

#include <boost/json.hpp>

#include "supervisor/sys/failure.h"

namespace supervisor::sys {
namespace {

namespace json = boost::json;

template <typename Number>
json::value number_or_null(Number number) {
  return number == 0 ? json::value(nullptr) : json::value(number);
}

}  // namespace

std::string mechanism_name(v1::LimitMechanism mechanism) {
  return lower_without_prefix(v1::LimitMechanism_Name(mechanism), "LIMIT_MECHANISM_");
}

std::string limits_json(const v1::LimitsReport& report) {
  const auto row = [](json::value limit, v1::LimitMechanism by, json::value used) {
    return json::object{
        {"limit", std::move(limit)}, {"by", mechanism_name(by)}, {"used", std::move(used)}};
  };
  json::object limits;
  limits["memory_bytes"] = row(number_or_null(report.memory_bytes()), report.memory_by(),
                               number_or_null(report.memory_used_bytes()));
  limits["cpus"] = row(number_or_null(report.cpus()), report.cpus_by(), nullptr);
  limits["processes"] = row(number_or_null(report.processes()), report.processes_by(),
                            number_or_null(report.processes_used()));
  limits["open_files"] = row(number_or_null(report.open_files()), report.open_files_by(),
                             number_or_null(report.open_files_used()));
  return json::serialize(limits);
}

}  // namespace supervisor::sys
