// What must survive, in PostgreSQL. One per supervisor, built by main().
//
// libpqxx blocks, so queries run on a thread of the store's own; the awaitable
// functions may be called from the supervisor's Asio thread and resume there.
// Connections are remade after a failure; meanwhile calls fail with
// DATABASE_UNAVAILABLE within the connect timeout.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/audit_service.pb.h"
#include "plugin_supervisor/v1/jobs_service.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::store {

/// A row of plugins_pluginconfig, with its repository's name joined in.
struct PluginConfigRow {
  std::int64_t id = 0;
  std::string key;
  std::string name;
  std::string version;
  std::string description;
  bool enabled = false;
  bool ever_enabled = false;
  std::string settings_json = "{}";
  std::int64_t source_repo_id = 0;  // 0 = none.
  std::string source_repo_name;
  bool is_official_repo = false;
  std::string slug;
  bool installed_version_is_prerelease = false;
  bool deprecated = false;
};

/// What discovery knows of a plugin, to be written to its row.
struct DiscoveredPlugin {
  std::string key;
  std::string name;
  std::string version;
  std::string description;
};

/// A row of supervisor_crash_ledger. Times are Unix milliseconds; 0 = none.
struct CrashLedgerRow {
  std::string key;
  std::uint64_t generation = 0;
  std::uint32_t crashes_in_a_row = 0;
  std::vector<std::int64_t> recent_crashes;
  std::int64_t quarantined_at = 0;
  std::int64_t next_start = 0;
  std::string last_crash_json;  // Empty = none.
};

/// A row of supervisor_plugin_options.
struct PluginOptionsRow {
  std::string key;
  std::string options_json;  // v1::PluginOptions in protobuf's JSON form.
};

/// A row of supervisor_permission_grants.
struct PermissionGrantRow {
  std::string key;
  std::string granted_json;  // As in a plugin.json.
  std::string granted_by;
  std::int64_t granted_unix_ms = 0;
};

/// A row of supervisor_audit that is written together with what it tells of: in
/// the same statement. Null = none is.
using AuditNote = std::shared_ptr<const v1::AuditEntry>;

/// Which rows of supervisor_audit.
struct AuditFilter {
  std::string plugin;              // Empty = of all, and of none.
  std::string action;              // Empty = all.
  std::string actor;               // Or on whose behalf; empty = all.
  std::int64_t since_unix_ms = 0;  // 0 = all.
  std::int64_t before_id = 0;      // Only older ones; 0 = all.
  std::uint32_t limit = 0;         // 0 = all.
};

/// Which rows of supervisor_jobs.
struct JobFilter {
  std::string plugin;               // Empty = of every plugin.
  bool unfinished = false;          // Only those that have not ended.
  std::int64_t before_unix_ms = 0;  // Only those created before; 0 = all.
  std::uint32_t limit = 0;          // 0 = all.
};

/// How many jobs are kept; 0 = all. One that has not ended is always kept.
struct JobRetention {
  int days = 0;
  std::uint32_t runs = 0;    // Of those that a caller waited for.
  std::uint32_t others = 0;  // Of the rest.
};

/// What one sweep removes at most.
inline constexpr std::size_t max_swept = 10000;

/// What is asked of one collection of a plugin's records (plugins_plugindata).
/// A record is {"id", "data", "created_at", "updated_at"}.
struct PluginDataRequest {
  enum class What {
    list,     // Array of records, oldest first.
    replace,  // All by the objects of the array `json`; the new records.
    insert,   // The object `json`; the new record.
    update,   // The data of record `id` by the object `json`; the record, or null.
    remove,   // Record `id`; whether there was one.
    clear,    // All; how many there were.
  };
  What what = What::list;
  std::string plugin;
  std::string collection;
  std::int64_t id = 0;
  std::string json;
};
/// JSON, or why nothing was done.
struct PluginDataAnswer {
  std::string json;
  std::optional<Failure> refused;
};
/// What one collection may hold.
inline constexpr std::size_t max_collection_records = 100'000;
inline constexpr std::size_t max_collection_bytes = std::size_t{8} << 20;

struct StoreOptions {
  std::string connection;  // libpq connection string or URI.
  std::filesystem::path migrations_dir;
  std::chrono::seconds connect_timeout{5};
  std::chrono::seconds statement_timeout{10};
};

class Store {
 public:
  Store(boost::asio::any_io_executor executor, StoreOptions options);
  ~Store();  // Joins its thread.

  /// Applies the migrations under an advisory lock. Blocking; called once by
  /// main() before anything else. Fails with MIGRATION_FAILED (what differs is
  /// in the message) or DATABASE_UNAVAILABLE.
  Outcome<void> migrate();

  boost::asio::awaitable<Outcome<std::vector<PluginConfigRow>>> all_configs();
  boost::asio::awaitable<Outcome<std::optional<PluginConfigRow>>> config(std::string key);

  /// Inserts rows for new plugins (disabled) and updates name, version and
  /// description of those that changed, in one transaction.
  boost::asio::awaitable<Outcome<void>> record_discovered(std::vector<DiscoveredPlugin> plugins);

  /// Stores the flag (and ever_enabled with it). Empty when there is no row.
  boost::asio::awaitable<Outcome<std::optional<PluginConfigRow>>> set_enabled(
      std::string key, bool enabled, AuditNote audit = nullptr);
  /// Replaces the settings. Empty when there is no row.
  boost::asio::awaitable<Outcome<std::optional<PluginConfigRow>>> set_settings(
      std::string key, std::string settings_json, AuditNote audit = nullptr);

  boost::asio::awaitable<Outcome<std::vector<CrashLedgerRow>>> ledgers();
  /// Inserts or replaces, in one transaction.
  boost::asio::awaitable<Outcome<void>> save_ledgers(std::vector<CrashLedgerRow> rows);

  boost::asio::awaitable<Outcome<std::vector<PluginOptionsRow>>> plugin_options();
  /// Inserts or replaces.
  boost::asio::awaitable<Outcome<void>> save_plugin_options(PluginOptionsRow row,
                                                            AuditNote audit = nullptr);

  boost::asio::awaitable<Outcome<std::vector<PermissionGrantRow>>> permission_grants();
  /// Inserts or replaces; returns when that was, as the database says.
  boost::asio::awaitable<Outcome<std::int64_t>> save_permission_grant(PermissionGrantRow row,
                                                                      AuditNote audit = nullptr);

  /// The user ids of plugins, after each of `keys` has been given one of those
  /// from `first` to `last` if it had none.
  boost::asio::awaitable<Outcome<std::map<std::string, std::uint32_t>>> plugin_users(
      std::vector<std::string> keys, std::uint32_t first, std::uint32_t last);

  /// Inserts jobs, or replaces those that are there and have not ended, in one
  /// statement. No id may occur twice.
  boost::asio::awaitable<Outcome<void>> save_jobs(std::vector<std::shared_ptr<const v1::Job>> jobs);
  boost::asio::awaitable<Outcome<std::optional<v1::Job>>> job(std::string id);
  /// Newest first, without their results.
  boost::asio::awaitable<Outcome<std::vector<v1::Job>>> jobs(JobFilter filter);
  /// Removes what need not be kept, max_swept at most; returns how many.
  boost::asio::awaitable<Outcome<std::size_t>> sweep_jobs(JobRetention retention);

  /// Adds rows, in one statement; those that are there already are left alone.
  boost::asio::awaitable<Outcome<void>> save_audit(std::vector<AuditNote> entries);
  /// Newest first.
  boost::asio::awaitable<Outcome<std::vector<v1::AuditEntry>>> audit(AuditFilter filter);
  /// The highest id there is; 0 = none.
  boost::asio::awaitable<Outcome<std::int64_t>> last_audit_id();

  boost::asio::awaitable<Outcome<std::string>> plugin_data(PluginDataRequest request);

  /// True when the last query or a probe succeeded recently.
  boost::asio::awaitable<bool> reachable();

  /// Runs until cancelled: `changed` is called on the executor with the key of
  /// every row that any database client inserted, updated or deleted (LISTEN/
  /// NOTIFY by triggers), and with an empty key whenever it has begun to
  /// listen, the first time and after each reconnect, or when all rows were
  /// removed at once: anything may have changed. Returns when cancelled.
  boost::asio::awaitable<void> watch(std::function<void(std::string key)> changed);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace supervisor::store
