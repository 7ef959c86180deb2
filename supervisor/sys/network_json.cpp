#include "supervisor/sys/network_json.h"

#include <boost/json.hpp>

namespace supervisor::sys {
namespace {

namespace json = boost::json;

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

}  // namespace

std::string network_json(const v1::NetworkReport& report) {
  json::object names;
  for (const auto& name : report.names()) {
    json::array addresses(name.addresses().begin(), name.addresses().end());
    names.emplace(name.name(), json::object{{"addresses", std::move(addresses)},
                                            {"error", text_or_null(name.error())}});
  }
  return json::serialize(json::object{{"hosts_by", text_or_null(report.hosts_by())},
                                      {"tcp_ports_by", text_or_null(report.tcp_ports_by())},
                                      {"udp_by", text_or_null(report.udp_by())},
                                      {"names", std::move(names)}});
}

}  // namespace supervisor::sys
