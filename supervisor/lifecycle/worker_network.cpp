#include "supervisor/lifecycle/worker_network.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "supervisor/logs/structured_log.h"
#include "supervisor/sandbox/network_rules.h"
#include "supervisor/sandbox/protection_list.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::lifecycle {
namespace {

constexpr std::size_t largest_file = 1u << 20;

std::string text_of(const std::filesystem::path& file) {
  try {
    return sys::read_file(file, largest_file);
  } catch (const std::exception&) {
    return {};
  }
}

// In place: it may be mounted somewhere.
void write_in_place(const std::filesystem::path& file, const std::string& text) {
  constexpr mode_t for_all = 0644;
  const sys::UniqueFd fd(sys::checked("open " + file.string(), [&] {
    return ::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, for_all);
  }));
  // For the plugin's user, whatever our umask is.
  sys::checked("chmod " + file.string(), [&] { return ::fchmod(fd.get(), for_all); });
  sys::checked("write " + file.string(),
               [&] { return ::pwrite(fd.get(), text.data(), text.size(), 0); });
  sys::checked("truncate " + file.string(),
               [&] { return ::ftruncate(fd.get(), static_cast<off_t>(text.size())); });
}

}  // namespace

v1::NetworkReport NetworkStatus::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void NetworkStatus::change(const std::function<void(v1::NetworkReport&)>& change) {
  const std::lock_guard lock(mutex_);
  change(report_);
}

WorkerNetwork::WorkerNetwork(sandbox::NameBook& names, v1::Permissions::Network granted)
    : book_(names),
      granted_(std::move(granted)),
      interest_(std::make_shared<sandbox::NameBook::Interest>()) {
  interest_->names = sandbox::granted_names(granted_);
  interest_->on_change = [this] { refresh(); };
  if (!interest_->names.empty()) book_.keep(interest_);
}

void WorkerNetwork::enforce(const std::filesystem::path& group,
                            const std::filesystem::path& hosts_file) {
  if (group.empty()) {
    why_not_ = "no cgroup of version 2 can be made";
    return show(known_names());
  }
  // Names alone need nobody to be asked.
  if (!interest_->names.empty() && !sandbox::needs_lookups(granted_)) hosts_file_ = hosts_file;
  const auto around = surroundings();
  try {
    filter_.emplace(group, sandbox::network_rules(granted_, around));
    write_hosts(around.names);
  } catch (const std::exception& error) {
    why_not_ = error.what();
    filter_.reset();
    hosts_file_.clear();
  }
  show(around.names);
}

void WorkerNetwork::enforce_again(const std::filesystem::path& group,
                                  const std::filesystem::path& hosts_file) {
  if (group.empty() || !sandbox::NetworkFilter::is_over(group)) return;
  was_enforced_ = true;
  if (unknown_names().empty()) return enforce(group, hosts_file);
  interest_->on_change = [this, group, hosts_file] {
    if (!unknown_names().empty()) return refresh();
    interest_->on_change = [this] { refresh(); };
    enforce(group, hosts_file);
  };
  refresh();
}

void WorkerNetwork::give_up(std::string because) {
  filter_.reset();
  was_enforced_ = false;
  why_not_ = std::move(because);
}

sandbox::KnownNames WorkerNetwork::known_names() const {
  sandbox::KnownNames names;
  for (const auto& name : interest_->names) {
    const auto* entry = book_.find(name);
    if (entry == nullptr) continue;
    for (const auto& [address, since] : entry->addresses) names[name].push_back(address);
  }
  return names;
}

sandbox::NetworkSurroundings WorkerNetwork::surroundings() const {
  sandbox::NetworkSurroundings around;
  around.names = known_names();
  around.own = sandbox::own_addresses();
  const bool asks =
      sandbox::needs_lookups(granted_) || (hosts_file_.empty() && !interest_->names.empty());
  if (asks) around.resolvers = sandbox::configured_resolvers(text_of("/etc/resolv.conf"));
  return around;
}

void WorkerNetwork::write_hosts(const sandbox::KnownNames& names) const {
  if (!hosts_file_.empty())
    write_in_place(hosts_file_, sandbox::hosts_file(text_of("/etc/hosts"), names));
}

void WorkerNetwork::refresh() {
  if (!filter_) return show(known_names());
  const auto around = surroundings();
  try {
    filter_->set(sandbox::network_rules(granted_, around));
    write_hosts(around.names);
  } catch (const std::exception& error) {
    // What was allowed before still is, and nothing else.
    logs::log_event(spdlog::level::err, "network.not_refreshed", {{"error", error.what()}});
  }
  show(around.names);
}

void WorkerNetwork::show(const sandbox::KnownNames& names) {
  status_->change([&](v1::NetworkReport& report) {
    report.clear_names();
    for (const auto& name : interest_->names) {
      auto& told = *report.add_names();
      told.set_name(name);
      if (const auto known = names.find(name); known != names.end())
        for (const auto& address : known->second)
          told.add_addresses(sandbox::address_text(address));
      if (const auto* entry = book_.find(name)) told.set_error(entry->error);
    }
  });
}

std::vector<std::string> WorkerNetwork::unknown_names() const {
  std::vector<std::string> unknown;
  for (const auto& name : interest_->names) {
    const auto* entry = book_.find(name);
    if (entry != nullptr && !entry->addresses.empty()) continue;
    const bool told = entry != nullptr && !entry->error.empty();
    unknown.push_back(name + " (" + (told ? entry->error : "no answer yet") + ")");
  }
  return unknown;
}

void WorkerNetwork::settle(v1::SandboxOutcome& outcome, bool host_network, bool datagrams) {
  const auto is_done = [&outcome](v1::Protection protection) {
    return sandbox::contains(outcome.done(), protection);
  };
  const bool alone = !host_network && is_done(v1::PROTECTION_NETWORK);
  const bool no_sockets = !host_network && is_done(v1::PROTECTION_SYSTEM_CALLS);
  if (alone || is_enforced() || no_sockets) {
    if (!is_done(v1::PROTECTION_HOSTS)) outcome.add_done(v1::PROTECTION_HOSTS);
  } else {
    auto& missing = *outcome.add_missing();
    missing.set_protection(v1::PROTECTION_HOSTS);
    missing.set_because(why_not_);
  }
  const std::string by = alone           ? "network_namespace"
                         : is_enforced() ? "cgroup_bpf"
                         : no_sockets    ? "seccomp"
                                         : "";
  const bool landlock = is_done(v1::PROTECTION_PORTS);
  const bool no_datagrams = !datagrams && is_done(v1::PROTECTION_SYSTEM_CALLS);
  status_->change([&](v1::NetworkReport& report) {
    report.set_hosts_by(by);
    report.set_tcp_ports_by(by.empty() && landlock ? "landlock" : by);
    report.set_udp_by(by.empty() && no_datagrams ? "seccomp" : by);
  });
}

}  // namespace supervisor::lifecycle
