// A PostgreSQL of the tests' own: a new cluster in a temporary directory, on a
// Unix socket only, gone with the process. Used on the main thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace store_test {

class PrivatePostgres {
 public:
  /// Makes the cluster and starts it. Throws with the reason when it cannot.
  PrivatePostgres();
  ~PrivatePostgres();

  /// Returns when connections are accepted.
  void start();
  /// Ends all sessions without a goodbye and returns when the server is gone.
  void stop();

  /// A new, empty database; returns its connection string.
  std::string new_database();

 private:
  [[nodiscard]] std::string connection(const std::string& database) const;

  std::filesystem::path directory_;
  std::filesystem::path programs_;
  pid_t server_ = 0;
  int databases_ = 0;
};

/// The one cluster that all tests share; each takes a database of its own.
PrivatePostgres& postgres();

}  // namespace store_test
