#include "supervisor/lifecycle/plugin_registry.h"

#include <time.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

#include "supervisor/audit/audit_details.h"
#include "supervisor/catalog/metadata_rules.h"
#include "supervisor/lifecycle/plugin_state.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sys/json_slice.h"
#include "supervisor/sys/secret_settings.h"
#include "supervisor/sys/thread_time.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

namespace {

// Of the time that lists take, a part of this many goes into looking at the
// plugins' directory.
constexpr int looks_apart = 5;

// Runs `work` on `pool` and resumes on the caller's thread.
//
// Lambdas and aggregates are named before they meet a co_await, here and below:
// GCC 12 destroys such temporaries of an awaiting expression twice.
template <typename Work>
asio::awaitable<std::invoke_result_t<Work>> on_pool(asio::thread_pool& pool, Work work) {
  auto there = [work = std::move(work)]() -> asio::awaitable<std::invoke_result_t<Work>> {
    co_return work();
  };
  co_return co_await asio::co_spawn(pool, std::move(there), asio::use_awaitable);
}

}  // namespace

// A place in the line of those who refresh; one at a time.
class PluginRegistry::Turn {
 public:
  static asio::awaitable<std::unique_ptr<Turn>> take(PluginRegistry& registry) {
    while (registry.busy_)
      co_await registry.turn_over_.changed_since(registry.turn_over_.version());
    co_return std::unique_ptr<Turn>(new Turn(registry));
  }
  ~Turn() {
    registry_.busy_ = false;
    registry_.turn_over_.notify();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  explicit Turn(PluginRegistry& registry) : registry_(registry) { registry_.busy_ = true; }
  PluginRegistry& registry_;
};

PluginRegistry::PluginRegistry(SupervisionContext& context, store::Store& store)
    : context_(context),
      store_(store),
      turn_over_(context.core),
      ledgers_(context.core, store),
      choices_(store) {
  asio::co_spawn(context.core, ledgers_.write_forever(), asio::detached);
}

PluginRegistry::~PluginRegistry() { disk_.join(); }

asio::awaitable<Outcome<void>> PluginRegistry::refresh(bool force) {
  const auto turn = co_await Turn::take(*this);
  const auto& directory = context_.options.plugins_dir;
  // Processor time: on a busy machine a look seems long that was none.
  std::chrono::nanoseconds cost{0};
  const auto look = [&directory, &cost] {
    const auto began = sys::thread_time();
    auto found = catalog::directory_fingerprint(directory);
    cost = sys::thread_time() - began;
    return found;
  };
  auto fingerprint = co_await on_pool(disk_, look);
  recent_until_ = Clock::now() + cost * looks_apart;
  if (!force && rows_known_ && fingerprint == directory_fingerprint_) co_return Outcome<void>();
  if (auto files = co_await take_files(); files.has_error()) co_return files.error();
  directory_fingerprint_ = std::move(fingerprint);
  auto rows = co_await take_rows();
  rows_known_ = rows.has_value();
  co_return rows;
}

asio::awaitable<Outcome<void>> PluginRegistry::refresh_unless_recent() {
  if (rows_known_ && Clock::now() < recent_until_) co_return Outcome<void>();
  co_return co_await refresh(false);
}

asio::awaitable<Outcome<void>> PluginRegistry::take_files() {
  const auto& directory = context_.options.plugins_dir;
  const auto read = [&directory] { return catalog::scan(directory); };
  auto scanned = co_await on_pool(disk_, read);
  if (scanned.has_error()) co_return scanned.error();
  auto& entries = scanned.value();
  std::unordered_map<std::string, catalog::CatalogEntry> inspected;
  catalog::InspectorOptions inspector;
  inspector.python = context_.options.python;
  inspector.shim_dir = context_.options.shim_dir;
  for (auto& entry : entries) {
    if (!entry.legacy || entry.error) continue;
    const std::string known = entry.key + '\n' + entry.fingerprint;
    if (const auto found = inspected_.find(known); found != inspected_.end()) {
      entry = found->second;
    } else {
      co_await catalog::inspect_legacy(entry, inspector);
    }
    inspected.emplace(known, entry);
  }
  inspected_ = std::move(inspected);

  LeftLaunches left;
  if (!std::exchange(left_launches_known_, true)) {
    const auto find_left = [&runtime_dir = context_.options.runtime_dir] {
      return find_left_launches(runtime_dir);
    };
    left = co_await on_pool(disk_, find_left);
  }
  // From here to the rows without a pause: no plugin starts that runs already.
  take_over(std::move(left));
  std::vector<store::DiscoveredPlugin> discovered;
  std::vector<std::string> order;
  std::set<std::string> keys;
  for (auto& entry : entries) {
    order.push_back(entry.key);
    keys.insert(entry.key);
    const auto supervision = supervision_of(entry.key);
    if (!entry.error && !supervision->facts().loaded) {
      auto name = entry.metadata.name().empty() ? entry.folder_name : entry.metadata.name();
      discovered.push_back(
          {entry.key, std::move(name), entry.metadata.version(), entry.metadata.description()});
    }
    supervision->set_entry(std::move(entry));
  }
  {
    const std::lock_guard lock(mutex_);
    order_ = std::move(order);
  }
  for (const auto& plugin : list()) {
    if (!keys.contains(plugin->key())) plugin->set_entry(std::nullopt);
  }
  if (auto given = co_await give_users(); given.has_error()) co_return given.error();
  co_return co_await store_.record_discovered(std::move(discovered));
}

// To those that have none yet; before any of them can be started.
asio::awaitable<Outcome<void>> PluginRegistry::give_users() {
  const auto [first, last] = context_.options.plugin_users;
  if (first == 0) co_return Outcome<void>();
  std::vector<std::string> keys;
  for (const auto& plugin : list())
    if (plugin->facts().user == 0) keys.push_back(plugin->key());
  if (keys.empty()) co_return Outcome<void>();
  auto giving = store_.plugin_users(std::move(keys), first, last);
  const auto users = co_await std::move(giving);
  if (users.has_error()) co_return users.error();
  for (const auto& [key, user] : users.value())
    if (const auto plugin = find(key)) plugin->set_user(user);
  co_return Outcome<void>();
}

void PluginRegistry::take_over(LeftLaunches left) {
  for (const auto& record : left.never_begun)
    supervision_of(record.plugin())->use_up(record.generation());
  for (auto& launch : left.begun) {
    const std::string plugin = launch.record.plugin();
    supervision_of(plugin)->take_over(std::move(launch));
  }
}

// Before any row, whoever brings it: no plugin starts that is to wait, or with
// a generation that it has had before.
asio::awaitable<Outcome<void>> PluginRegistry::recall() {
  if (auto ledgers = co_await take_ledgers(); ledgers.has_error()) co_return ledgers.error();
  if (choices_.are_known()) co_return Outcome<void>();
  if (auto choices = co_await choices_.recall(); choices.has_error()) co_return choices.error();
  for (const auto& plugin : list()) choices_.give(*plugin);
  co_return Outcome<void>();
}

// Once: another may have done so while the database was asked.
asio::awaitable<Outcome<void>> PluginRegistry::take_ledgers() {
  if (ledgers_known_) co_return Outcome<void>();
  auto remembered = co_await store_.ledgers();
  if (remembered.has_error()) co_return remembered.error();
  if (ledgers_known_) co_return Outcome<void>();
  // Also of plugins whose files are not there now: they may come back.
  for (const auto& row : remembered.value()) supervision_of(row.key)->restore(row);
  ledgers_known_ = true;
  co_return Outcome<void>();
}

asio::awaitable<Outcome<void>> PluginRegistry::take_rows() {
  if (auto recalled = co_await recall(); recalled.has_error()) co_return recalled.error();
  auto rows = co_await store_.all_configs();
  if (rows.has_error()) co_return rows.error();
  std::set<std::string> keys;
  for (auto& row : rows.value()) {
    keys.insert(row.key);
    const auto supervision = supervision_of(row.key);
    supervision->set_row(std::move(row));
  }
  for (const auto& plugin : list()) {
    if (keys.contains(plugin->key())) continue;
    plugin->set_row(std::nullopt);
    // Neither files nor a row: there is no such plugin any more.
    if (plugin->facts().entry) continue;
    plugin->shut_down();
    const std::lock_guard lock(mutex_);
    plugins_.erase(plugin->key());
  }
  co_return Outcome<void>();
}

asio::awaitable<void> PluginRegistry::refresh_row(std::string key) {
  const auto turn = co_await Turn::take(*this);
  if (!left_launches_known_) co_return;  // The first refresh() takes all rows.
  if (key.empty()) {
    rows_known_ = (co_await take_rows()).has_value();
    co_return;
  }
  const auto recalled = co_await recall();
  auto row = co_await store_.config(key);
  if (recalled.has_error() || row.has_error()) {
    rows_known_ = false;
    co_return;
  }
  const auto plugin = find(key);
  if (row.value()) {
    supervision_of(key)->set_row(std::move(*row.value()));
  } else if (plugin) {
    plugin->set_row(std::nullopt);
  }
}

asio::awaitable<Outcome<std::uint32_t>> PluginRegistry::reload(std::string key,
                                                               std::chrono::milliseconds wait,
                                                               std::function<void()> begun) {
  const auto deadline = Clock::now() + wait;
  // Without the database the files are read all the same.
  if (auto refreshed = co_await refresh(true);
      refreshed.has_error() && refreshed.error().reason() != v1::REASON_DATABASE_UNAVAILABLE)
    co_return refreshed.error();
  std::vector<std::shared_ptr<PluginSupervision>> chosen;
  if (key.empty()) {
    chosen = list();
  } else if (auto plugin = find(key)) {
    chosen.push_back(std::move(plugin));
  } else {
    co_return not_found(key);
  }
  begun();
  for (const auto& plugin : chosen) plugin->reload();
  for (const auto& plugin : chosen) co_await plugin->settled(deadline);
  const std::lock_guard lock(mutex_);
  co_return static_cast<std::uint32_t>(order_.size());
}

asio::awaitable<Outcome<v1::Plugin>> PluginRegistry::set_enabled(std::string key, bool enabled,
                                                                 std::chrono::milliseconds wait,
                                                                 v1::AuditEntry audit) {
  const auto deadline = Clock::now() + wait;
  if (!find(key)) co_await refresh(false);
  auto plugin = find(key);
  if (!plugin) co_return not_found(key);
  if (!plugin->facts().row && plugin->facts().entry && plugin->facts().entry->error)
    co_return *plugin->facts().entry->error;
  if (auto recalled = co_await recall(); recalled.has_error()) co_return recalled.error();
  auto note = std::make_shared<const v1::AuditEntry>(std::move(audit));
  auto stored = co_await store_.set_enabled(key, enabled, std::move(note));
  if (stored.has_error()) co_return stored.error();
  if (!stored.value()) co_return not_found(key);
  plugin->set_row(std::move(*stored.value()));
  co_await plugin->settled(deadline);
  co_return plugin->status().plugin();
}

asio::awaitable<Outcome<v1::Plugin>> PluginRegistry::control(std::string key,
                                                             v1::ControlAction action,
                                                             std::chrono::milliseconds wait,
                                                             std::function<void()> begun) {
  const auto deadline = Clock::now() + wait;
  auto plugin = find(key);
  if (!plugin) co_return not_found(key);
  if (!plugin->facts().row || !plugin->facts().row->enabled)
    co_return make_failure(v1::REASON_PLUGIN_DISABLED, "control",
                           "Plugin '" + key + "' is disabled.", "Enable it first.", key);
  if (!plugin->facts().entry)
    co_return make_failure(v1::REASON_FILES_MISSING, "control",
                           "Plugin '" + key + "' has no files any more.",
                           "Put its directory back, or disable it.", key);
  switch (action) {
    case v1::CONTROL_ACTION_START:
      plugin->start();
      break;
    case v1::CONTROL_ACTION_STOP:
      plugin->stop();
      break;
    case v1::CONTROL_ACTION_RESTART:
      plugin->restart();
      break;
    case v1::CONTROL_ACTION_KILL:
      if (!plugin->kill())
        co_return make_failure(v1::REASON_NOT_FOUND, "control",
                               "Plugin '" + key + "' has no worker to kill.",
                               "See pluginctl why " + key + ".", key);
      break;
    case v1::CONTROL_ACTION_UNQUARANTINE:
      plugin->unquarantine();
      break;
    default:
      co_return make_failure(v1::REASON_INVALID_REQUEST, "control", "No action was named.", "",
                             key);
  }
  begun();
  co_await plugin->settled(deadline);
  co_return plugin->status().plugin();
}

// For who wants to change what an admin chose: before that is known, nothing may
// be put in its place.
asio::awaitable<Outcome<std::shared_ptr<PluginSupervision>>> PluginRegistry::changeable(
    std::string key) {
  if (!find(key)) co_await refresh(false);
  auto plugin = find(key);
  if (!plugin) co_return not_found(key);
  if (auto recalled = co_await recall(); recalled.has_error()) co_return recalled.error();
  co_return plugin;
}

asio::awaitable<Outcome<v1::Plugin>> PluginRegistry::set_options(std::string key,
                                                                 v1::PluginOptions options,
                                                                 v1::AuditEntry audit) {
  auto plugin = co_await changeable(std::move(key));
  if (plugin.has_error()) co_return plugin.error();
  auto setting = choices_.set_options(*plugin.value(), std::move(options), std::move(audit));
  const auto set = co_await std::move(setting);
  if (set.has_error()) co_return set.error();
  co_return plugin.value()->status().plugin();
}

asio::awaitable<Outcome<v1::Plugin>> PluginRegistry::set_grant(std::string key,
                                                               v1::Permissions granted,
                                                               std::string by,
                                                               v1::AuditEntry audit) {
  auto plugin = co_await changeable(std::move(key));
  if (plugin.has_error()) co_return plugin.error();
  auto granting =
      choices_.set_grant(*plugin.value(), std::move(granted), std::move(by), std::move(audit));
  const auto done = co_await std::move(granting);
  if (done.has_error()) co_return done.error();
  co_return plugin.value()->status().plugin();
}

asio::awaitable<Outcome<void>> PluginRegistry::grant_asked(std::string key, std::string by,
                                                           v1::AuditEntry audit) {
  auto found = co_await changeable(std::move(key));
  if (found.has_error()) co_return found.error();
  auto& plugin = *found.value();
  if (plugin.facts().permissions_mistake) co_return *plugin.facts().permissions_mistake;
  const auto& consent = plugin.facts().consent;
  if (!consent.asked()) co_return Outcome<void>();
  const auto before = consent.grant() ? consent.grant()->granted : v1::Permissions();
  auto granted = sandbox::united(before, consent.waiting());
  auto granting = choices_.set_grant(plugin, std::move(granted), std::move(by), std::move(audit));
  co_return co_await std::move(granting);
}

asio::awaitable<Outcome<v1::SetSettingsResponse>> PluginRegistry::set_settings(
    std::string key, std::string settings_json, v1::AuditEntry audit) {
  if (const auto error = sys::json_error(settings_json); !error.empty())
    co_return make_failure(v1::REASON_INVALID_REQUEST, "settings",
                           "The settings are not valid JSON: " + error + ".", "", key);
  if (!sys::is_json_object(settings_json))
    co_return make_failure(v1::REASON_INVALID_REQUEST, "settings",
                           "The settings must be a JSON object.", "", key);
  if (!find(key)) co_await refresh(false);
  auto plugin = find(key);
  if (!plugin) co_return not_found(key);
  const auto fields = plugin->status().plugin().metadata().fields_json();
  // Whoever was shown masks sends them back with what was changed.
  if (const auto row = plugin->facts().row)
    settings_json = sys::with_secrets_kept(std::move(settings_json), row->settings_json, fields);
  v1::SetSettingsResponse response;
  for (auto& warning : catalog::settings_warnings(settings_json, fields))
    response.add_warnings(std::move(warning));
  const auto& row = plugin->facts().row;
  audit.set_details_json(audit::settings_details(row ? row->settings_json : "{}", settings_json));
  auto note = std::make_shared<const v1::AuditEntry>(std::move(audit));
  auto stored = co_await store_.set_settings(key, std::move(settings_json), std::move(note));
  if (stored.has_error()) co_return stored.error();
  if (!stored.value()) co_return not_found(key);
  response.set_settings_json(stored.value()->settings_json);
  plugin->set_row(std::move(*stored.value()));
  co_return response;
}

asio::awaitable<void> PluginRegistry::shut_down() {
  shutting_down_ = true;
  const auto plugins = list();
  for (const auto& plugin : plugins) plugin->shut_down();
  for (const auto& plugin : plugins) {
    while (!plugin->ended()) co_await plugin->settled(Clock::time_point::max());
  }
  co_await ledgers_.written(Clock::now() + std::chrono::seconds(2));
}

std::shared_ptr<PluginSupervision> PluginRegistry::find(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = plugins_.find(key);
  return found == plugins_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<PluginSupervision>> PluginRegistry::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<PluginSupervision>> plugins;
  plugins.reserve(plugins_.size());
  for (const auto& key : order_) {
    if (const auto found = plugins_.find(key); found != plugins_.end())
      plugins.push_back(found->second);
  }
  if (plugins.size() == plugins_.size()) return plugins;
  const std::set<std::string_view> listed(order_.begin(), order_.end());
  for (const auto& [key, plugin] : plugins_) {
    if (!listed.contains(key)) plugins.push_back(plugin);
  }
  return plugins;
}

std::shared_ptr<PluginSupervision> PluginRegistry::supervision_of(const std::string& key) {
  if (auto found = find(key)) return found;
  auto plugin = std::make_shared<PluginSupervision>(context_, key);
  plugin->on_ledger = [this](store::CrashLedgerRow row) { ledgers_.keep(std::move(row)); };
  choices_.give(*plugin);
  plugin->on_metadata = [this](const PluginSupervision& changed) { record_metadata(changed); };
  {
    const std::lock_guard lock(mutex_);
    plugins_.emplace(key, plugin);
  }
  if (shutting_down_) plugin->shut_down();
  asio::co_spawn(context_.core, plugin->supervise(),
                 [key, plugin](const std::exception_ptr& error) {
                   if (!error) return;
                   try {
                     std::rethrow_exception(error);
                   } catch (const std::exception& broken) {
                     logs::log_event(spdlog::level::critical, "supervision.broken",
                                     {{"plugin", key}, {"error", broken.what()}});
                     plugin->break_off(broken.what());
                   }
                 });
  return plugin;
}

// The row shows what the running code says of itself.
void PluginRegistry::record_metadata(const PluginSupervision& plugin) {
  const auto shown = plugin.status().plugin();
  const auto& row = plugin.facts().row;
  const auto& metadata = shown.metadata();
  if (!row || (row->name == metadata.name() && row->version == metadata.version() &&
               row->description == metadata.description()))
    return;
  std::vector<store::DiscoveredPlugin> changed{
      {plugin.key(), metadata.name(), metadata.version(), metadata.description()}};
  asio::co_spawn(context_.core, store_.record_discovered(std::move(changed)), asio::detached);
}

Failure PluginRegistry::not_found(const std::string& key) const {
  return make_failure(v1::REASON_PLUGIN_NOT_FOUND, "lookup", "There is no plugin '" + key + "'.",
                      "List the plugins to see their keys; reload if it was just added.", key);
}

}  // namespace supervisor::lifecycle
