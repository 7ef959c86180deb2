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
#include "worker_shim/native/worker_init.h"

namespace plugin_worker {

namespace v1 = plugin_supervisor::v1;

class Spawner {
 public:
  /// Takes over `control`, and tries whether PID namespaces can be had. `init`:
  /// the program that each worker's init becomes. Throws std::system_error.
  Spawner(int control, const std::string& init, std::string python_version);

  /// Serves requests. Returns true in each forked worker, which finds its
  /// assignment at assignment_fd, and false in the spawner, when the supervisor
  /// has closed the socket. With the GIL held. Throws std::system_error.
  bool serve();

 private:
  struct Received {
    v1::SpawnRequest request;
    std::vector<int> descriptors;
  };
  std::optional<Received> receive();
  void send(const v1::SpawnerMessage& message, int descriptor);
  void try_namespace();
  int make_init(const InitSetup& setup, int group, int* pidfd) const;
  /// True in the forked worker.
  bool spawn(const Received& received);

  const int control_;
  const int init_program_;
  const ForkIdentity identity_;
  v1::SpawnerReady ready_;
};

}  // namespace plugin_worker
