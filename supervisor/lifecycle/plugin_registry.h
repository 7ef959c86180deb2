// Every plugin there is, by key: joins what discovery finds with what the
// database says, and owns one PluginSupervision for each.
//
// One per supervisor. Awaitables and setters on the core thread; find() and
// list() from any thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin_supervisor/v1/plugins_service.pb.h"
#include "supervisor/catalog/catalog.h"
#include "supervisor/catalog/legacy_inspector.h"
#include "supervisor/lifecycle/admin_choices.h"
#include "supervisor/lifecycle/ledger_keeper.h"
#include "supervisor/lifecycle/plugin_supervision.h"
#include "supervisor/store/store.h"

namespace supervisor::lifecycle {

class PluginRegistry {
 public:
  using Clock = std::chrono::steady_clock;

  PluginRegistry(SupervisionContext& context, store::Store& store);
  ~PluginRegistry();

  /// Reads the directory when it has changed since the last time (always, with
  /// `force`), writes what is new to the database and reads the rows. When the
  /// database is away, the files are taken and the known rows kept.
  boost::asio::awaitable<Outcome<void>> refresh(bool force);

  /// The same, unless the directory has been looked at a moment ago: who lists
  /// many plugins again and again must not spend the time on looking.
  boost::asio::awaitable<Outcome<void>> refresh_unless_recent();

  /// Reads one row again (all of them for an empty key), after a notification.
  boost::asio::awaitable<void> refresh_row(std::string key);

  /// Stops and starts enabled plugins, or the one named, with files read
  /// afresh; answers with the number of plugins found, once all are at rest or
  /// `wait` is over. `begun` is called once nothing can refuse it any more.
  boost::asio::awaitable<Outcome<std::uint32_t>> reload(std::string key,
                                                        std::chrono::milliseconds wait,
                                                        std::function<void()> begun);

  // Of the changes that are stored, `audit` is stored with them, in one
  // statement; its details are filled in here.

  boost::asio::awaitable<Outcome<v1::Plugin>> set_enabled(std::string key, bool enabled,
                                                          std::chrono::milliseconds wait,
                                                          v1::AuditEntry audit);
  boost::asio::awaitable<Outcome<v1::SetSettingsResponse>> set_settings(std::string key,
                                                                        std::string settings_json,
                                                                        v1::AuditEntry audit);

  /// Replaces what an admin has set for one plugin. INVALID_REQUEST names the
  /// field that makes no sense.
  boost::asio::awaitable<Outcome<v1::Plugin>> set_options(std::string key,
                                                          v1::PluginOptions options,
                                                          v1::AuditEntry audit);

  /// Replaces what is granted to one plugin. INVALID_REQUEST names what makes no
  /// sense.
  boost::asio::awaitable<Outcome<v1::Plugin>> set_grant(std::string key, v1::Permissions granted,
                                                        std::string by, v1::AuditEntry audit);
  /// Grants it all that it asks for now, beside what it has.
  boost::asio::awaitable<Outcome<void>> grant_asked(std::string key, std::string by,
                                                    v1::AuditEntry audit);

  /// Acts on one plugin and answers with what it is then. `begun` is called once
  /// nothing can refuse it any more.
  boost::asio::awaitable<Outcome<v1::Plugin>> control(std::string key, v1::ControlAction action,
                                                      std::chrono::milliseconds wait,
                                                      std::function<void()> begun);

  /// Stops all plugins side by side and returns when the last is gone.
  boost::asio::awaitable<void> shut_down();

  /// Nothing when there is no such plugin.
  std::shared_ptr<PluginSupervision> find(const std::string& key) const;
  /// In directory order, then those without files.
  std::vector<std::shared_ptr<PluginSupervision>> list() const;

 private:
  class Turn;
  boost::asio::awaitable<Outcome<void>> take_files();
  boost::asio::awaitable<Outcome<void>> give_users();
  boost::asio::awaitable<Outcome<void>> take_rows();
  boost::asio::awaitable<Outcome<void>> recall();
  boost::asio::awaitable<Outcome<std::shared_ptr<PluginSupervision>>> changeable(std::string key);
  boost::asio::awaitable<Outcome<void>> take_ledgers();
  void take_over(LeftLaunches left);
  std::shared_ptr<PluginSupervision> supervision_of(const std::string& key);
  void record_metadata(const PluginSupervision& plugin);
  Failure not_found(const std::string& key) const;

  SupervisionContext& context_;
  store::Store& store_;
  boost::asio::thread_pool disk_{1};  // Blocking reads of the plugin directory.
  ChangeSignal turn_over_;            // One refresh at a time.
  bool busy_ = false;
  bool shutting_down_ = false;
  std::string directory_fingerprint_;
  Clock::time_point recent_until_{};  // How long the last look counts as one.
  bool rows_known_ = false;
  bool ledgers_known_ = false;
  bool left_launches_known_ = false;
  LedgerKeeper ledgers_;
  AdminChoices choices_;
  std::unordered_map<std::string, catalog::CatalogEntry> inspected_;  // By fingerprint and key.

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<PluginSupervision>> plugins_;
  std::vector<std::string> order_;  // Keys with files, in directory order.
};

}  // namespace supervisor::lifecycle
