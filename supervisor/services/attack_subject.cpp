#include "supervisor/services/attack_subject.h"

#include "plugin_supervisor/v1/launch_record.pb.h"
#include "supervisor/lifecycle/runtime_dir.h"
#include "supervisor/sys/file.h"

namespace supervisor::services {

namespace fs = std::filesystem;

namespace {

/// Empty when there is none.
fs::path launch_directory(const fs::path& runtime_dir, const std::string& plugin) {
  constexpr std::size_t most = 65536;
  for (const auto& path : lifecycle::RuntimeDir::left_in(runtime_dir)) {
    v1::LaunchRecord record;
    try {
      if (record.ParseFromString(sys::read_file(path / "launch", most)) &&
          record.plugin() == plugin)
        return path;
    } catch (const std::exception&) {
      continue;  // A spare worker's, or one that ends at this moment.
    }
  }
  return {};
}

/// Rather one that runs; null when there is no other with files.
std::shared_ptr<lifecycle::PluginSupervision> sibling_of(
    const lifecycle::PluginRegistry& registry, const lifecycle::PluginSupervision& plugin) {
  std::shared_ptr<lifecycle::PluginSupervision> found;
  for (const auto& other : registry.list()) {
    if (other->key() == plugin.key() || !other->facts().entry) continue;
    if (other->facts().pid > 0) return other;
    if (!found) found = other;
  }
  return found;
}

}  // namespace

attack::AttackSubject attack_subject(const lifecycle::SupervisionContext& context,
                                     const lifecycle::PluginRegistry& registry,
                                     const lifecycle::PluginSupervision& plugin,
                                     const fs::path& supervisor_socket) {
  const auto& options = context.options;
  attack::AttackSubject subject;
  subject.data = options.data_dir / plugin.key();
  if (plugin.facts().entry) subject.code = plugin.facts().entry->directory;
  if (plugin.facts().permissions) subject.permissions = *plugin.facts().permissions;
  if (plugin.facts().sandbox) subject.sandbox = *plugin.facts().sandbox;
  subject.supervisor_socket = supervisor_socket;
  const auto sibling = sibling_of(registry, plugin);
  if (!sibling) return subject;
  subject.sibling_pid = sibling->facts().pid;
  subject.sibling_code = sibling->facts().entry->directory;
  std::error_code none;
  if (const auto data = options.data_dir / sibling->key(); fs::is_directory(data, none))
    subject.sibling_data = data;
  if (subject.sibling_pid > 0)
    subject.sibling_launch = launch_directory(options.runtime_dir, sibling->key());
  return subject;
}

}  // namespace supervisor::services
