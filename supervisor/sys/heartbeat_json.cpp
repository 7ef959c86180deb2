#include "supervisor/sys/heartbeat_json.h"

#include <boost/json.hpp>

#include "supervisor/sys/failure.h"

namespace supervisor::sys {

std::string pulse_name(v1::Pulse pulse) {
  return lower_without_prefix(v1::Pulse_Name(pulse), "PULSE_");
}

std::string heartbeat_json(const v1::Heartbeat& heartbeat) {
  boost::json::object json;
  json["pulse"] = pulse_name(heartbeat.pulse());
  json["since_unix_ms"] = heartbeat.since_unix_ms();
  json["round_trip_us"] = heartbeat.round_trip_us();
  json["interpreter_wait_us"] = heartbeat.interpreter_wait_us();
  return boost::json::serialize(json);
}

}  // namespace supervisor::sys
