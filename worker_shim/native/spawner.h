// The spawner's side of its control socket: forks a worker for each request.
//
// One per spawner process, on its only thread. The process holds no secret:
// tokens stay in the pipes that are handed through.
#pragma once

#include <cstdint>
#include <map>
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
  /// In a forked worker: it may have long to wait for its assignment.
  [[nodiscard]] bool is_spare() const { return is_spare_; }

 private:
  struct Received {
    v1::SpawnRequest request;
    std::vector<int> descriptors;
  };
  std::optional<Received> receive();
  void send(const v1::SpawnerMessage& message, int descriptor);
  void try_namespace();
  [[nodiscard]] bool can_have(std::uint64_t flags, const sandbox::RootSetup* root,
                              std::string* why) const;
  std::uint64_t choose_namespaces(const v1::SpawnRequest& request, const sandbox::RootSetup& root,
                                  InitSetup& setup, v1::SpawnReply& reply);
  int make_init(const InitSetup& setup, std::uint64_t namespaces, int group, int* pidfd) const;
  /// True in the forked worker.
  bool spawn(const Received& received);

  const int control_;
  const int init_program_;
  const int host_network_;  // -1: not to be had.
  const ForkIdentity identity_;
  v1::SpawnerReady ready_;
  bool is_spare_ = false;
  std::map<v1::Protection, bool> tried_;  // What namespaces, and a root, can be had.
};

}  // namespace plugin_worker
