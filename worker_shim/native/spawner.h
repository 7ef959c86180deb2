// The spawner's side of its control socket: forks a worker for each request.
//
// One per spawner process, on its only thread. The process holds no secret:
// tokens stay in the pipes that are handed through.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/spawner.pb.h"
#include "worker_shim/native/fork_identity.h"

namespace plugin_worker {

namespace v1 = plugin_supervisor::v1;

/// What a forked worker is to do. Its token is to be read from token_fd.
struct WorkerLaunch {
  static constexpr int token_fd = 3;
  std::string plugin;
  std::uint64_t generation = 0;
  std::string socket_path;
  std::vector<std::string> environment;
};

class Spawner {
 public:
  /// Takes over `control`, and tries whether PID namespaces can be had.
  Spawner(int control, std::string python_version);

  /// Serves requests. Returns in each forked worker, with what it is to do, and
  /// in the spawner, with nothing, when the supervisor has closed the socket.
  /// With the GIL held. Throws std::system_error.
  std::optional<WorkerLaunch> serve();

 private:
  struct Received {
    v1::SpawnRequest request;
    std::vector<int> descriptors;
  };
  std::optional<Received> receive();
  void send(const v1::SpawnerMessage& message, int descriptor);
  void try_namespace();
  /// True in the forked worker.
  bool spawn(const Received& received);

  const int control_;
  const ForkIdentity identity_;
  v1::SpawnerReady ready_;
};

}  // namespace plugin_worker
