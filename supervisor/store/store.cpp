#include "supervisor/store/store.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "supervisor/logs/structured_log.h"
#include "supervisor/store/audit_rows.h"
#include "supervisor/store/connection_string.h"
#include "supervisor/store/crash_ledger_rows.h"
#include "supervisor/store/echo_delay.h"
#include "supervisor/store/job_rows.h"
#include "supervisor/store/listener.h"
#include "supervisor/store/migrations.h"
#include "supervisor/store/permission_grant_rows.h"
#include "supervisor/store/plugin_config_rows.h"
#include "supervisor/store/plugin_data_rows.h"
#include "supervisor/store/plugin_options_rows.h"
#include "supervisor/store/plugin_user_rows.h"
#include "supervisor/store/query_session.h"
#include "supervisor/store/store_thread.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::store {
namespace {

using boost::asio::awaitable;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Scope = QuerySession::Scope;

constexpr milliseconds first_backoff{100};
constexpr milliseconds last_backoff{5000};
// A success this recent stands for a probe.
constexpr milliseconds recent{2000};
// A worker that a write has started runs by then.
constexpr milliseconds echo_delay{100};

}  // namespace

struct Store::Impl {
  Impl(boost::asio::any_io_executor asio_executor, StoreOptions given)
      : executor(std::move(asio_executor)),
        options(std::move(given)),
        connection(ConnectionString::parse(options.connection, options.connect_timeout)),
        // A string that cannot be parsed is never connected with: see query().
        session(connection.has_value()
                    ? connection.value()
                    : ConnectionString::parse("", options.connect_timeout).value(),
                options.statement_timeout) {}

  ~Impl() {
    // What still waits for a silent server need not be waited for.
    session.abort();
    listening_socket.abort();
  }

  // Runs `body` on the store's thread, in a transaction if nothing else is said.
  template <typename T, Scope scope = Scope::transaction, typename Body>
  awaitable<Outcome<T>> query(std::string step, Body body);

  awaitable<void> listen_forever(const std::function<void(std::string)>& changed);
  awaitable<Outcome<std::unique_ptr<Listener>>> connect_listener();

  boost::asio::any_io_executor executor;
  StoreOptions options;
  Outcome<ConnectionString> connection;
  QuerySession session;
  PluginConfigRows configs;  // Of the query thread.
  WakeableSocket listening_socket;
  std::optional<Clock::time_point> succeeded_at;  // Empty after a failure.
  // Last, so that they are joined before what they use goes. Two, so that a
  // listener that waits for a connection does not hold up queries.
  StoreThread query_thread;
  StoreThread listening_thread;
};

template <typename T, QuerySession::Scope scope, typename Body>
awaitable<Outcome<T>> Store::Impl::query(std::string step, Body body) {
  if (connection.has_error()) co_return connection.error();
  std::function<Outcome<T>()> work = [this, step, body = std::move(body),
                                      asked_at = Clock::now()]() -> Outcome<T> {
    return session.run<scope, T>(step, asked_at, body);
  };
  const auto deadline = options.connect_timeout + options.statement_timeout;
  auto outcome = co_await query_thread.run<T>(std::move(work), deadline);
  if (!outcome) {
    // Neither an answer nor an error: the server is frozen or unreachable.
    session.abort();
    outcome.emplace(unavailable(connection.value(), step,
                                "no answer within " + std::to_string(deadline.count()) + " s"));
  }
  const bool answered =
      outcome->has_value() || outcome->error().reason() != v1::REASON_DATABASE_UNAVAILABLE;
  succeeded_at = answered ? std::optional(Clock::now()) : std::nullopt;
  co_return std::move(*outcome);
}

awaitable<Outcome<std::unique_ptr<Listener>>> Store::Impl::connect_listener() {
  std::function<Outcome<std::unique_ptr<Listener>>()> work = [this] {
    return Listener::connect(executor, connection.value(), listening_socket);
  };
  const auto deadline = options.connect_timeout + options.statement_timeout;
  auto outcome =
      co_await listening_thread.run<std::unique_ptr<Listener>>(std::move(work), deadline);
  if (outcome) co_return std::move(*outcome);
  listening_socket.abort();
  co_return unavailable(connection.value(), "listen",
                        "no answer within " + std::to_string(deadline.count()) + " s");
}

awaitable<void> Store::Impl::listen_forever(const std::function<void(std::string)>& changed) {
  boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor);
  EchoDelay echoes(executor, echo_delay, changed);
  const std::function<void(std::string, int)> told = [&](std::string key, int backend_pid) {
    if (backend_pid == session.backend_pid()) {
      echoes.take(std::move(key));
    } else {
      changed(std::move(key));
    }
  };
  auto backoff = first_backoff;
  for (bool outage = false;;) {
    auto listener = co_await connect_listener();
    if (listener.has_value()) {
      const auto since = Clock::now();
      logs::log_event(spdlog::level::info, "database.listening", {});
      outage = false;
      // Whatever changed before the LISTEN was not told.
      changed({});
      const std::string why = co_await listener.value()->deliver(told);
      succeeded_at.reset();
      logs::log_event(spdlog::level::warn, "database.listening_broke",
                      {{"error", connection.value().redact(why)}});
      if (Clock::now() - since > last_backoff) backoff = first_backoff;
    } else if (!outage) {
      outage = true;  // One line per outage, however long it lasts.
      logs::log_event(spdlog::level::warn, "database.not_listening",
                      {{"error", listener.error().message()}});
    }
    pause.expires_after(backoff);
    co_await pause.async_wait(boost::asio::use_awaitable);
    backoff = std::min(backoff * 2, last_backoff);
  }
}

Store::Store(boost::asio::any_io_executor executor, StoreOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options))) {}

Store::~Store() = default;

Outcome<void> Store::migrate() {
  if (impl_->connection.has_error()) return impl_->connection.error();
  return apply_migrations(impl_->connection.value(), impl_->options.migrations_dir);
}

// The bodies below are named before they are awaited: GCC 12 destroys a
// temporary lambda with captures twice when it is an argument in a co_await
// expression (GCC bug 104031 and its kin).

awaitable<Outcome<std::vector<PluginConfigRow>>> Store::all_configs() {
  const std::string step = "read plugins";
  const auto body = [](pqxx::work& transaction) { return select_all(transaction); };
  co_return co_await impl_->query<std::vector<PluginConfigRow>>(step, body);
}

awaitable<Outcome<std::optional<PluginConfigRow>>> Store::config(std::string key) {
  const std::string step = "read plugin";
  if (auto failure = key_failure(step, key)) co_return *failure;
  const auto body = [this, key](pqxx::nontransaction& session) {
    return impl_->configs.select(session, key);
  };
  co_return co_await impl_->query<std::optional<PluginConfigRow>, Scope::reading>(step, body);
}

awaitable<Outcome<void>> Store::record_discovered(std::vector<DiscoveredPlugin> plugins) {
  const std::string step = "record plugins";
  for (const auto& plugin : plugins) {
    if (auto failure = key_failure(step, plugin.key)) co_return *failure;
  }
  const auto body = [plugins](pqxx::work& transaction) {
    record(transaction, plugins);
    return true;
  };
  const auto outcome = co_await impl_->query<bool>(step, body);
  if (outcome.has_error()) co_return outcome.error();
  co_return Outcome<void>();
}

awaitable<Outcome<std::optional<PluginConfigRow>>> Store::set_enabled(std::string key, bool enabled,
                                                                      AuditNote audit) {
  const std::string step = "store enabled";
  if (auto failure = key_failure(step, key)) co_return *failure;
  const auto body = [this, key, enabled, audit](pqxx::nontransaction& session) {
    return impl_->configs.update_enabled(session, key, enabled, audit);
  };
  co_return co_await impl_->query<std::optional<PluginConfigRow>, Scope::writing>(step, body);
}

awaitable<Outcome<std::optional<PluginConfigRow>>> Store::set_settings(std::string key,
                                                                       std::string settings_json,
                                                                       AuditNote audit) {
  const std::string step = "store settings";
  if (auto failure = key_failure(step, key)) co_return *failure;
  std::string wrong = sys::json_error(settings_json);
  if (wrong.empty() && !sys::is_json_object(settings_json)) wrong = "not an object";
  if (!wrong.empty()) {
    co_return make_failure(v1::REASON_INVALID_REQUEST, step,
                           "The settings are not a JSON object: " + wrong + ".", {}, key);
  }
  const auto body = [this, key, settings_json, audit](pqxx::nontransaction& session) {
    return impl_->configs.update_settings(session, key, settings_json, audit);
  };
  auto outcome = co_await impl_->query<std::optional<PluginConfigRow>, Scope::writing>(step, body);
  if (outcome.has_value()) co_return outcome;
  auto failure = outcome.error();
  failure.set_plugin(key);
  co_return failure;
}

awaitable<Outcome<std::vector<CrashLedgerRow>>> Store::ledgers() {
  const std::string step = "read crash ledgers";
  const auto body = [](pqxx::work& transaction) { return select_ledgers(transaction); };
  co_return co_await impl_->query<std::vector<CrashLedgerRow>>(step, body);
}

awaitable<Outcome<void>> Store::save_ledgers(std::vector<CrashLedgerRow> rows) {
  const std::string step = "store crash ledgers";
  const bool one = rows.size() == 1;
  const auto body = [rows = std::move(rows)](pqxx::transaction_base& transaction) {
    for (const auto& row : rows) upsert_ledger(transaction, row);
    return true;
  };
  auto storing =
      one ? impl_->query<bool, Scope::writing>(step, body) : impl_->query<bool>(step, body);
  const auto outcome = co_await std::move(storing);
  if (outcome.has_error()) co_return outcome.error();
  co_return Outcome<void>();
}

awaitable<Outcome<std::vector<PluginOptionsRow>>> Store::plugin_options() {
  const std::string step = "read options";
  const auto body = [](pqxx::work& transaction) { return select_plugin_options(transaction); };
  co_return co_await impl_->query<std::vector<PluginOptionsRow>>(step, body);
}

awaitable<Outcome<void>> Store::save_plugin_options(PluginOptionsRow row, AuditNote audit) {
  const std::string step = "store options";
  if (auto failure = key_failure(step, row.key)) co_return *failure;
  const auto body = [row, audit](pqxx::nontransaction& session) {
    upsert_plugin_options(session, row, audit);
    return true;
  };
  const auto outcome = co_await impl_->query<bool, Scope::writing>(step, body);
  if (outcome.has_error()) co_return outcome.error();
  co_return Outcome<void>();
}

awaitable<Outcome<std::vector<PermissionGrantRow>>> Store::permission_grants() {
  const std::string step = "read grants";
  const auto body = [](pqxx::work& transaction) { return select_permission_grants(transaction); };
  co_return co_await impl_->query<std::vector<PermissionGrantRow>>(step, body);
}

awaitable<Outcome<std::int64_t>> Store::save_permission_grant(PermissionGrantRow row,
                                                              AuditNote audit) {
  const std::string step = "store grant";
  if (auto failure = key_failure(step, row.key)) co_return *failure;
  const auto body = [row, audit](pqxx::nontransaction& session) {
    return upsert_permission_grant(session, row, audit);
  };
  co_return co_await impl_->query<std::int64_t, Scope::writing>(step, body);
}

awaitable<Outcome<std::map<std::string, std::uint32_t>>> Store::plugin_users(
    std::vector<std::string> keys, std::uint32_t first, std::uint32_t last) {
  using Users = std::map<std::string, std::uint32_t>;
  const std::string step = "give user ids";
  for (const auto& key : keys) {
    if (auto failure = key_failure(step, key)) co_return *failure;
  }
  const auto body = [keys, first, last](pqxx::work& transaction) {
    return give_plugin_users(transaction, keys, first, last);
  };
  co_return co_await impl_->query<Users>(step, body);
}

awaitable<Outcome<void>> Store::save_jobs(std::vector<std::shared_ptr<const v1::Job>> jobs) {
  const std::string step = "store jobs";
  const auto body = [jobs = std::move(jobs)](pqxx::nontransaction& session) {
    upsert_jobs(session, jobs);
    return true;
  };
  const auto outcome = co_await impl_->query<bool, Scope::writing>(step, body);
  if (outcome.has_error()) co_return outcome.error();
  co_return Outcome<void>();
}

awaitable<Outcome<std::optional<v1::Job>>> Store::job(std::string id) {
  const std::string step = "read job";
  const auto body = [id](pqxx::nontransaction& session) { return select_job(session, id); };
  co_return co_await impl_->query<std::optional<v1::Job>, Scope::reading>(step, body);
}

awaitable<Outcome<std::vector<v1::Job>>> Store::jobs(JobFilter filter) {
  const std::string step = "read jobs";
  const auto body = [filter](pqxx::work& transaction) { return select_jobs(transaction, filter); };
  co_return co_await impl_->query<std::vector<v1::Job>>(step, body);
}

awaitable<Outcome<std::size_t>> Store::sweep_jobs(JobRetention retention) {
  const std::string step = "sweep jobs";
  const auto body = [retention](pqxx::work& transaction) {
    return delete_old_jobs(transaction, retention);
  };
  co_return co_await impl_->query<std::size_t>(step, body);
}

awaitable<Outcome<void>> Store::save_audit(std::vector<AuditNote> entries) {
  const std::string step = "store audit";
  const auto body = [entries = std::move(entries)](pqxx::nontransaction& session) {
    insert_audit(session, entries);
    return true;
  };
  const auto outcome = co_await impl_->query<bool, Scope::writing>(step, body);
  if (outcome.has_error()) co_return outcome.error();
  co_return Outcome<void>();
}

awaitable<Outcome<std::vector<v1::AuditEntry>>> Store::audit(AuditFilter filter) {
  const std::string step = "read audit";
  const auto body = [filter](pqxx::work& transaction) { return select_audit(transaction, filter); };
  co_return co_await impl_->query<std::vector<v1::AuditEntry>>(step, body);
}

awaitable<Outcome<std::int64_t>> Store::last_audit_id() {
  const std::string step = "read audit";
  const auto body = [](pqxx::nontransaction& session) { return select_last_audit_id(session); };
  co_return co_await impl_->query<std::int64_t, Scope::reading>(step, body);
}

awaitable<Outcome<std::string>> Store::plugin_data(PluginDataRequest request) {
  const std::string step = "plugin data";
  const std::string key = request.plugin;
  const auto body = [request = std::move(request)](pqxx::work& transaction) {
    return answer_plugin_data(transaction, request);
  };
  auto outcome = co_await impl_->query<PluginDataAnswer>(step, body);
  if (outcome.has_error()) {
    auto failure = outcome.error();
    failure.set_plugin(key);
    co_return failure;
  }
  if (outcome.value().refused) co_return *outcome.value().refused;
  co_return std::move(outcome.value().json);
}

awaitable<bool> Store::reachable() {
  if (impl_->succeeded_at && Clock::now() - *impl_->succeeded_at < recent) co_return true;
  const std::string step = "probe";
  const auto body = [](pqxx::nontransaction& session) {
    session.exec1("SELECT 1");
    return true;
  };
  const auto outcome = co_await impl_->query<bool, Scope::reading>(step, body);
  co_return outcome.has_value();
}

awaitable<void> Store::watch(std::function<void(std::string key)> changed) {
  if (impl_->connection.has_error()) co_return;  // migrate() said so.
  try {
    co_await impl_->listen_forever(changed);
  } catch (const boost::system::system_error& error) {
    if (error.code() != boost::asio::error::operation_aborted) throw;
  }
}

}  // namespace supervisor::store
