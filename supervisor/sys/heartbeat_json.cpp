#include "supervisor/sys/heartbeat_json.h"

#include "supervisor/sys/failure.h"

namespace supervisor::sys {

std::string pulse_name(v1::Pulse pulse) {
  return lower_without_prefix(v1::Pulse_Name(pulse), "PULSE_");
}

std::string heartbeat_json(const v1::Heartbeat& heartbeat) {
  // Appended, as limits_json() is: a list of a thousand plugins holds as many.
  std::string out = R"({"pulse":")";
  out += pulse_name(heartbeat.pulse());
  out += R"(","since_unix_ms":)";
  out += std::to_string(heartbeat.since_unix_ms());
  out += R"(,"round_trip_us":)";
  out += std::to_string(heartbeat.round_trip_us());
  out += R"(,"interpreter_wait_us":)";
  out += std::to_string(heartbeat.interpreter_wait_us());
  out += '}';
  return out;
}

}  // namespace supervisor::sys
