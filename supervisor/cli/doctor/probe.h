// What pluginctl doctor looks at: groups of probes, each a function that looks
// at the host and tells what it found. A probe may hang or crash: it runs in a
// process of its own, with a deadline (bounded.h).
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace supervisor::cli::doctor {

enum class Verdict {
  ok,
  missing,  // The host does not have it.
  failed,   // It should be there, and does not work.
  skipped,  // Nothing was given to look at.
};

struct Finding {
  std::string name;
  Verdict verdict = Verdict::ok;
  std::string detail;     // What was found.
  std::string cost = {};  // What it costs that it is not ok.
  bool required = false;  // Nothing runs without it.
};

struct Probe {
  std::string name;  // Shown when it gives no answer.
  std::function<std::vector<Finding>()> look;
  bool required = false;  // So is an answer.
};

/// What a supervisor on this host would be started with.
struct Subject {
  std::filesystem::path python;
  std::filesystem::path runtime_dir;
  std::string database;  // Empty = not given.
  std::filesystem::path socket;
};

// One file each.
std::vector<Probe> kernel_probes();
std::vector<Probe> privilege_probes(const Subject& subject);
std::vector<Probe> namespace_probes();
std::vector<Probe> cgroup_probes();
std::vector<Probe> sandbox_probes();
std::vector<Probe> interpreter_probes(const Subject& subject);
std::vector<Probe> directory_probes(const Subject& subject);
std::vector<Probe> service_probes(const Subject& subject);

}  // namespace supervisor::cli::doctor
