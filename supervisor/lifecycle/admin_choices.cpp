#include "supervisor/lifecycle/admin_choices.h"

#include <utility>

#include "supervisor/audit/audit_details.h"
#include "supervisor/audit/audit_trail.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sys/plugin_options.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

namespace {

Failure of_plugin(Failure failure, const std::string& key) {
  failure.set_plugin(key);
  return failure;
}

}  // namespace

// Another may have read them while the database was asked, here and below.
asio::awaitable<Outcome<void>> AdminChoices::recall_options() {
  if (options_known_) co_return Outcome<void>();
  auto stored = co_await store_.plugin_options();
  if (stored.has_error()) co_return stored.error();
  if (std::exchange(options_known_, true)) co_return Outcome<void>();
  for (const auto& row : stored.value()) {
    auto options = sys::with_changes({}, row.options_json);
    if (options.has_error()) {
      logs::log_event(spdlog::level::err, "options.unreadable",
                      {{"plugin", row.key}, {"error", options.error().message()}});
      continue;
    }
    options_.emplace(row.key, std::move(options.value()));
  }
  co_return Outcome<void>();
}

asio::awaitable<Outcome<void>> AdminChoices::recall_grants() {
  if (grants_known_) co_return Outcome<void>();
  auto stored = co_await store_.permission_grants();
  if (stored.has_error()) co_return stored.error();
  if (std::exchange(grants_known_, true)) co_return Outcome<void>();
  for (const auto& row : stored.value()) {
    auto granted = sandbox::parse_permissions(row.granted_json);
    if (granted.has_error()) {
      // Nothing is granted rather than what may not have been meant.
      logs::log_event(spdlog::level::err, "grant.unreadable",
                      {{"plugin", row.key}, {"error", granted.error().message()}});
      granted = v1::Permissions();
    }
    grants_.emplace(
        row.key, sandbox::Grant{std::move(granted.value()), row.granted_by, row.granted_unix_ms});
  }
  co_return Outcome<void>();
}

asio::awaitable<Outcome<void>> AdminChoices::recall() {
  if (auto options = co_await recall_options(); options.has_error()) co_return options.error();
  co_return co_await recall_grants();
}

void AdminChoices::give(PluginSupervision& plugin) const {
  if (const auto found = options_.find(plugin.key()); found != options_.end())
    plugin.set_options(found->second);
  if (const auto found = grants_.find(plugin.key()); found != grants_.end())
    plugin.set_grant(found->second);
}

asio::awaitable<Outcome<void>> AdminChoices::set_options(PluginSupervision& plugin,
                                                         v1::PluginOptions options,
                                                         v1::AuditEntry audit) {
  const auto& key = plugin.key();
  if (const auto failure = sys::options_failure(options)) co_return of_plugin(*failure, key);
  if (const auto modes = sandbox::ProtectionModes().with(options.sandbox()); modes.has_error())
    co_return of_plugin(modes.error(), key);
  store::PluginOptionsRow row{key, sys::plugin_options_json(options)};
  audit.set_details_json(audit::options_details(plugin.facts().options, options));
  auto note = std::make_shared<const v1::AuditEntry>(std::move(audit));
  auto stored = co_await store_.save_plugin_options(std::move(row), std::move(note));
  if (stored.has_error()) co_return stored.error();
  options_[key] = options;
  plugin.set_options(std::move(options));
  co_return Outcome<void>();
}

asio::awaitable<Outcome<void>> AdminChoices::set_grant(PluginSupervision& plugin,
                                                       v1::Permissions granted, std::string by,
                                                       v1::AuditEntry audit) {
  const auto& key = plugin.key();
  granted.clear_runtime();
  const auto json = sandbox::permissions_json(granted);
  // As it will be read again.
  auto checked = sandbox::parse_permissions(json);
  if (checked.has_error()) {
    auto failure = of_plugin(checked.error(), key);
    failure.set_reason(v1::REASON_INVALID_REQUEST);
    failure.clear_hint();
    co_return failure;
  }
  granted = std::move(checked.value());
  const auto before = grants_.find(key);
  auto details = audit::grant_details(
      before == grants_.end() ? v1::Permissions() : before->second.granted, granted);
  if (details.only_revokes) audit.set_action(audit::action_word(v1::AUDIT_ACTION_REVOKE));
  audit.set_details_json(std::move(details.json));
  store::PermissionGrantRow row{key, json, by, 0};
  auto note = std::make_shared<const v1::AuditEntry>(std::move(audit));
  const auto stored = co_await store_.save_permission_grant(std::move(row), std::move(note));
  if (stored.has_error()) co_return stored.error();
  sandbox::Grant grant{std::move(granted), std::move(by), stored.value()};
  grants_[key] = grant;
  plugin.set_grant(std::move(grant));
  logs::log_event(spdlog::level::info, "permissions.granted",
                  {{"plugin", key}, {"permissions", json}});
  co_return Outcome<void>();
}

}  // namespace supervisor::lifecycle
