// What keeps a worker to its network, as the APIs show it.
#pragma once

#include <string>

#include "plugin_supervisor/v1/sandbox.pb.h"

namespace supervisor::sys {

namespace v1 = plugin_supervisor::v1;

/// {"hosts_by": "cgroup_bpf", "tcp_ports_by", "udp_by", "names": {"example.org":
/// {"addresses": [...], "error": null}}}; null for what nothing sees to.
std::string network_json(const v1::NetworkReport& report);

}  // namespace supervisor::sys
