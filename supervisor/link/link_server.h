// Where workers dial home. One gRPC server without a listening port: each
// launch has a Unix socket of its own, accepted here in Asio, its peer checked
// with SO_PEERCRED, and only then handed to gRPC.
//
// One per supervisor, built by main(). Accepting runs on the Asio executor
// given; streams run on gRPC's threads.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "supervisor/link/link_budget.h"
#include "supervisor/link/worker_link.h"

namespace supervisor::link {

struct LinkOptions {
  std::size_t max_message_bytes = 64u << 20;  // One batch of the worker's.
  std::size_t max_batch_frames = 1u << 17;
  std::size_t max_metadata_bytes = 4u << 20;  // Of one plugin, as it tells them.
  LinkRate rate;
  std::uint64_t max_result_bytes = 16u << 20;
  std::uint32_t max_in_flight = 1024;  // Calls waiting per worker.
  std::uint32_t pool_threads = 4;      // Calls beside the main thread's.
  // From cancelling a call until an exception is raised in it, and from its
  // deadline until it counts as stuck.
  std::chrono::milliseconds cancel_grace{2000};
  std::chrono::milliseconds stuck_after{10000};
  // How long a worker goes on without a supervisor; 0 = not at all.
  std::chrono::milliseconds reattach_window{60000};
};

class LinkServer {
 public:
  /// Throws std::runtime_error when gRPC cannot start.
  LinkServer(boost::asio::any_io_executor executor, LinkOptions options);
  ~LinkServer();  // Closes every link; returns when gRPC has let go of all.

  /// One launch's way in. Destroying it removes the socket and refuses
  /// whoever has not attached by then.
  class Expectation {
   public:
    virtual ~Expectation() = default;
    [[nodiscard]] virtual const std::filesystem::path& socket_path() const = 0;
    /// Only this process may connect. Connections made before the pid was
    /// known are held until it is.
    virtual void set_pid(pid_t pid) = 0;
    /// Only a child of this process may connect; held likewise.
    virtual void set_parent(pid_t pid) = 0;
    /// Who was let in last; 0 when nobody was.
    [[nodiscard]] virtual pid_t peer_pid() const = 0;
    [[nodiscard]] virtual std::shared_ptr<WorkerLink> link() const = 0;
  };

  /// Listens at `socket_path` (its directory must exist) for the worker of
  /// `launch`, which must present `token`. At most `max_in_flight` of its calls
  /// wait at a time; 0 = as in the options. Throws std::system_error.
  std::unique_ptr<Expectation> expect(LaunchId launch, std::filesystem::path socket_path,
                                      const std::string& token, LinkEvents events,
                                      std::uint32_t max_in_flight = 0);

  /// The same for a launch of an earlier supervisor, of whose token the SHA-256
  /// is known.
  std::unique_ptr<Expectation> expect_again(LaunchId launch, std::filesystem::path socket_path,
                                            std::string token_digest, LinkEvents events,
                                            std::uint32_t max_in_flight = 0);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace supervisor::link
