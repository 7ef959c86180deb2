// What is measured: the real LinkServer and a real worker with a trivial
// plugin.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tests/bench/link/closed_loop.h"

namespace bench {

class LinkSide {
 public:
  /// Launches the worker and waits until the plugin is loaded. Throws.
  LinkSide(const std::string& python, const std::filesystem::path& scratch);
  ~LinkSide();

  void begin(const std::string& params, std::function<void(bool ok)> done);
  [[nodiscard]] pid_t worker_pid() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace bench
