// Makes gRPC sleep while nothing happens. As it is, two of its threads wake up
// every second to look for timers, whether there are any or not: that is 13 %
// of a processor for a thousand idle workers. A link needs no timers.
#pragma once

namespace plugin_worker {

/// Before anything else of gRPC, with signals blocked: it starts threads. Does
/// nothing the second time.
void quiet_grpc();

}  // namespace plugin_worker
