// The runtime profiles there are, and the spawner of each, started when it is
// first needed. Follows the file that the profiles come from: a spawner whose
// profile has changed is replaced, and the workers it forked go on.
//
// One per supervisor, built by main(); on the core thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/permissions.pb.h"
#include "supervisor/spawner/profile_file.h"
#include "supervisor/spawner/spawner.h"

namespace supervisor::spawner {

/// What one plugin asks for.
struct RuntimeChoice {
  std::string profile;           // Empty = standalone.
  std::filesystem::path python;  // An interpreter of its own; empty = the profile's.
  bool gevent = false;           // In addition to what the profile says.
};

/// What its worker is started by.
struct Runtime {
  std::string name;  // For people: "standalone", "standalone+gevent".
  std::shared_ptr<Spawner> spawner;
  std::vector<std::string> command;  // What the worker executes; empty = it is a fork.
};

class ProfileSet {
 public:
  /// What the workers of a profile have of their own.
  using Isolate = std::function<Isolation(const RuntimeProfile&)>;

  /// `file` may be empty: then there is only `standalone`.
  ProfileSet(boost::asio::any_io_executor core, RuntimeProfile standalone,
             std::filesystem::path file, Isolate isolate = {});

  /// Reads the file. When it is wrong, what was known stays.
  Outcome<void> load();

  /// Starts the spawner of `standalone` before anyone asks.
  void warm_up();

  /// LAUNCH_FAILED, step "profile", when there is no such profile.
  Outcome<Runtime> runtime_for(const RuntimeChoice& choice, const std::string& plugin);

  /// What plugins that ask for nothing may do under `profile` (empty =
  /// standalone): nothing when there is no such profile.
  [[nodiscard]] v1::Permissions default_permissions(const std::string& profile) const;

  /// Nothing when there is no such profile (empty = standalone).
  [[nodiscard]] const RuntimeProfile* find(const std::string& profile) const;

  /// Loads the file again, if it has changed since (or always, with `force`).
  /// Mistakes are logged.
  void look_again(bool force);
  /// The coroutine that looks every two seconds; for as long as the daemon.
  boost::asio::awaitable<void> follow_file();

  /// Called when profiles have changed.
  std::function<void()> on_change;

 private:
  struct FileMark {
    std::filesystem::file_time_type written{};
    std::uintmax_t size = 0;
    friend bool operator==(const FileMark&, const FileMark&) = default;
  };
  [[nodiscard]] FileMark mark() const;
  void recycle();
  std::shared_ptr<Spawner> spawner_of(const std::string& name, const RuntimeProfile& profile);

  const boost::asio::any_io_executor core_;
  const RuntimeProfile standalone_;
  const std::filesystem::path file_;
  const Isolate isolate_;
  FileMark seen_;
  Profiles profiles_;
  std::map<std::string, std::shared_ptr<Spawner>> spawners_;  // By a Runtime's name.
};

}  // namespace supervisor::spawner
