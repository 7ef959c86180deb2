#include "supervisor/spawner/profile_set.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "supervisor/logs/structured_log.h"
#include "supervisor/sandbox/permissions.h"

namespace supervisor::spawner {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds look_every{2};
constexpr auto gevent_suffix = "+gevent";

RuntimeProfile with_gevent(RuntimeProfile profile) {
  profile.gevent = true;
  return profile;
}

}  // namespace

ProfileSet::ProfileSet(asio::any_io_executor core, RuntimeProfile standalone,
                       std::filesystem::path file, Isolate isolate)
    : core_(std::move(core)),
      standalone_(std::move(standalone)),
      file_(std::move(file)),
      isolate_(std::move(isolate)),
      profiles_{{standalone_.name, standalone_}} {}

Outcome<void> ProfileSet::load() {
  if (file_.empty()) return {};
  // Before it is read: a change meanwhile is seen the next time.
  seen_ = mark();
  auto read = read_profiles(file_, standalone_);
  if (read.has_error()) return read.error();
  profiles_ = std::move(read.value());
  return {};
}

void ProfileSet::warm_up() {
  const auto& profile = profiles_.at(standalone_.name);
  spawner_of(profile.name, profile)->warm_up();
}

std::shared_ptr<Spawner> ProfileSet::spawner_of(const std::string& name,
                                                const RuntimeProfile& profile) {
  auto& spawner = spawners_[name];
  if (!spawner) {
    auto named = profile;
    named.name = name;
    auto isolation = isolate_ ? isolate_(named) : Isolation{};
    spawner = std::make_shared<Spawner>(core_, std::move(named), std::move(isolation));
  }
  return spawner;
}

Outcome<Runtime> ProfileSet::runtime_for(const RuntimeChoice& choice, const std::string& plugin) {
  const auto& wanted = choice.profile.empty() ? standalone_.name : choice.profile;
  const auto found = profiles_.find(wanted);
  if (found == profiles_.end()) {
    std::string known;
    for (const auto& [name, profile] : profiles_) known += (known.empty() ? "" : ", ") + name;
    return make_failure(v1::REASON_LAUNCH_FAILED, "profile",
                        "Plugin '" + plugin + "' is to run under the runtime profile '" + wanted +
                            "', which does not exist.",
                        (file_.empty() ? "Start the supervisor with --profiles FILE"
                                       : "Add it to " + file_.string()) +
                            ", or choose one of: " + known + ".",
                        plugin);
  }
  const auto& profile = found->second;
  const bool patched = choice.gevent && !profile.gevent;
  Runtime runtime;
  if (!choice.python.empty()) {
    // The spawner only makes its process; what it has imported is left behind.
    runtime.name = wanted + ", " + choice.python.string();
    runtime.spawner = spawner_of(wanted, profile);
    runtime.command = {choice.python.string(), "-us",
                       (profile.shim_dir / "start_worker.py").string()};
    const auto options = interpreter_options(patched ? with_gevent(profile) : profile);
    runtime.command.insert(runtime.command.end(), options.begin(), options.end());
    return runtime;
  }
  // Patches come before all imports, so they are a spawner's own.
  runtime.name = patched ? wanted + gevent_suffix : wanted;
  runtime.spawner = spawner_of(runtime.name, patched ? with_gevent(profile) : profile);
  return runtime;
}

const RuntimeProfile* ProfileSet::find(const std::string& profile) const {
  const auto found = profiles_.find(profile.empty() ? standalone_.name : profile);
  return found == profiles_.end() ? nullptr : &found->second;
}

v1::Permissions ProfileSet::default_permissions(const std::string& profile) const {
  const auto* found = find(profile);
  // It was checked when the file was read.
  return found == nullptr ? v1::Permissions()
                          : sandbox::parse_permissions(found->permissions_json).value();
}

ProfileSet::FileMark ProfileSet::mark() const {
  std::error_code error;
  FileMark mark;
  mark.written = std::filesystem::last_write_time(file_, error);
  mark.size = std::filesystem::file_size(file_, error);
  return mark;
}

void ProfileSet::look_again(bool force) {
  if (file_.empty() || (!force && mark() == seen_)) return;
  const auto before = profiles_;
  if (const auto loaded = load(); loaded.has_error()) {
    logs::log_event(spdlog::level::err, "profiles.refused", {{"error", loaded.error().message()}});
    return;
  }
  if (profiles_ == before) return;
  logs::log_event(spdlog::level::info, "profiles.changed", {{"profiles", profiles_.size()}});
  recycle();
  if (on_change) on_change();
}

// Those who wait for an answer of the old one hold it until they have it.
void ProfileSet::recycle() {
  std::erase_if(spawners_, [this](const auto& entry) {
    const auto& [name, spawner] = entry;
    const bool patched = name.ends_with(gevent_suffix);
    const auto profile = profiles_.find(patched ? name.substr(0, name.rfind(gevent_suffix)) : name);
    bool same = profile != profiles_.end();
    if (same) {
      auto now = patched ? with_gevent(profile->second) : profile->second;
      now.name = name;
      same = now == spawner->profile();
    }
    if (!same) logs::log_event(spdlog::level::info, "spawner.recycled", {{"profile", name}});
    return !same;
  });
  if (!spawners_.contains(standalone_.name)) warm_up();
}

asio::awaitable<void> ProfileSet::follow_file() {
  asio::steady_timer tick(co_await asio::this_coro::executor);
  while (!file_.empty()) {
    tick.expires_after(look_every);
    co_await tick.async_wait(asio::use_awaitable);
    look_again(false);
  }
}

}  // namespace supervisor::spawner
