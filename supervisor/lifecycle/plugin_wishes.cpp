// What is wanted of a plugin: the part of a PluginSupervision that is told.
#include <algorithm>
#include <csignal>

#include "supervisor/lifecycle/plugin_supervision.h"
#include "supervisor/lifecycle/runtime_choice.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sys/secret_settings.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

void PluginSupervision::set_entry(std::optional<catalog::CatalogEntry> entry) {
  const bool files_changed =
      entry.has_value() != facts().entry.has_value() ||
      (entry && facts().entry && entry->fingerprint != facts().entry->fingerprint);
  status_.change([&](PluginFacts& facts) { facts.entry = std::move(entry); });
  if (!files_changed) return;
  hide_secrets();
  look_at_permissions();
  retry_load_ = true;
  ++wish_;
  changed_.notify();
}

void PluginSupervision::set_row(std::optional<store::PluginConfigRow> row) {
  const auto settings = [](const auto& r) { return r ? r->settings_json : std::string("{}"); };
  const auto enabled = [](const auto& r) { return r && r->enabled; };
  const bool settings_changed = settings(row) != settings(facts().row);
  const bool flag_changed = enabled(row) != enabled(facts().row);
  const bool had_row = facts().row.has_value();
  const bool first = !facts().row_known;
  status_.change([&](PluginFacts& facts) {
    facts.row_known = true;
    facts.row = std::move(row);
  });
  if (settings_changed || first) hide_secrets();
  if (settings_changed) {
    if (facts().link)
      facts().link->change_settings(facts().row ? facts().row->settings_json : "{}");
    if (facts().state == v1::PLUGIN_STATE_LOAD_FAILED) retry_load_ = true;
  }
  if (flag_changed && had_row) {
    // Switching off and on again is how an admin says "forget the past".
    stopped_by_admin_ = false;
    stayed_stopped_.reset();
    forget_crashes();
    status_.change([](PluginFacts& facts) {
      facts.restarts = 0;
      facts.last_crash.reset();
    });
  }
  if (!settings_changed && !flag_changed && !first) return;
  ++wish_;
  changed_.notify();
}

// Passwords among the settings are nobody's to read in the log.
void PluginSupervision::hide_secrets() {
  const auto& known = facts();
  const auto* metadata = known.loaded  ? &known.loaded->metadata()
                         : known.entry ? &known.entry->metadata
                                       : nullptr;
  if (known.row && metadata != nullptr)
    log_book_->hide(sys::secret_values(known.row->settings_json, metadata->fields_json()));
}

void PluginSupervision::ask() {
  ++wish_;
  changed_.notify();
}

void PluginSupervision::reload() {
  reload_reason_ = "reload";
  reload_wanted_ = true;
  stopped_by_admin_ = false;
  stayed_stopped_.reset();
  forget_crashes();
  ask();
}

void PluginSupervision::restart() {
  reload();
  reload_reason_ = "restart";
}

bool PluginSupervision::kill() {
  if (facts().state != v1::PLUGIN_STATE_RUNNING && facts().state != v1::PLUGIN_STATE_STARTING &&
      facts().state != v1::PLUGIN_STATE_STOPPING)
    return false;
  if (facts().state == v1::PLUGIN_STATE_STOPPING && run_ != nullptr) run_->hurry();
  kill_wanted_ = true;
  reload_wanted_ = true;
  reload_reason_ = "kill";
  ask();
  return true;
}

void PluginSupervision::start() {
  if (facts().state == v1::PLUGIN_STATE_RUNNING && !stopped_by_admin_) return;
  stopped_by_admin_ = false;
  stayed_stopped_.reset();
  retry_load_ = true;
  forget_crashes();
  ask();
}

void PluginSupervision::stop() {
  stopped_by_admin_ = true;
  ask();
}

void PluginSupervision::retry_load() {
  if (facts().state != v1::PLUGIN_STATE_LOAD_FAILED) return;
  retry_load_ = true;
  ask();
}

void PluginSupervision::unquarantine() {
  if (ledger_.quarantined_at != 0) start();
}

void PluginSupervision::set_options(v1::PluginOptions options) {
  const bool elsewhere = options.profile() != facts().options.profile();
  status_.change([&](PluginFacts& facts) { facts.options = std::move(options); });
  if (!elsewhere) return;
  look_at_permissions();
  retry_load();
}

void PluginSupervision::set_grant(sandbox::Grant grant) {
  status_.change([&](PluginFacts& facts) { facts.consent.set_grant(std::move(grant)); });
  retry_load();
}

// What it asks for, and what it would have without an admin's word.
void PluginSupervision::look_at_permissions() {
  std::optional<v1::Permissions> asked;
  std::optional<Failure> mistake;
  const auto& entry = facts().entry;
  if (entry && !entry->metadata.permissions_json().empty()) {
    auto parsed = sandbox::parse_permissions(entry->metadata.permissions_json());
    if (parsed.has_error()) {
      mistake = parsed.error();
      mistake->set_plugin(key_);
    } else {
      asked = std::move(parsed.value());
    }
  }
  const auto choice = runtime_choice(asked.value_or(v1::Permissions()), facts().options.profile());
  auto profile_default = context_.profiles.default_permissions(choice.profile);
  status_.change([&](PluginFacts& facts) {
    facts.consent.set_asked(std::move(asked), std::move(profile_default));
    facts.permissions_mistake = std::move(mistake);
  });
}

std::chrono::milliseconds PluginSupervision::stop_timeout() const {
  return facts().options.has_stop_timeout_ms()
             ? std::chrono::milliseconds(facts().options.stop_timeout_ms())
             : context_.options.stop_timeout;
}

void PluginSupervision::take_over(LeftLaunch left) {
  // Two of one plugin: the older was being stopped.
  if (left_ && left_->record.generation() > left.record.generation()) std::swap(*left_, left);
  if (left_ && left_->init) left_->init.send_signal(SIGKILL);
  left_.emplace(std::move(left));
  adopting_ = true;
  ask();
}

void PluginSupervision::use_up(std::uint64_t generation) {
  status_.change(
      [&](PluginFacts& facts) { facts.generation = std::max(facts.generation, generation); });
}

void PluginSupervision::shut_down() {
  shutting_down_ = true;
  ++wish_;
  changed_.notify();
}

asio::awaitable<void> PluginSupervision::settled(Clock::time_point deadline) {
  const std::uint64_t wish = wish_;
  while (settled_ < wish && !ended_) {
    const bool woken = co_await settled_signal_.changed_since(settled_signal_.version(), deadline);
    if (!woken) co_return;
  }
}

bool PluginSupervision::wants_worker() const {
  if (shutting_down_ || stopped_by_admin_ || !facts().entry) return false;
  if (facts().row) return facts().row->enabled;
  // With the database away, a worker that runs already is let run.
  return !facts().row_known && run_ != nullptr && run_->is_adopted();
}

// Why a wanted worker cannot be started, from what is known of the files.
std::optional<Failure> PluginSupervision::obstacle() const {
  return facts().entry ? facts().entry->error : std::nullopt;
}

std::string PluginSupervision::stop_reason() const {
  if (shutting_down_) return "shutdown";
  if (!facts().entry) return "delete";
  if (!facts().row || !facts().row->enabled) return "disable";
  if (stopped_by_admin_) return "stop";
  return reload_wanted_ ? reload_reason_ : "restart";
}

}  // namespace supervisor::lifecycle
