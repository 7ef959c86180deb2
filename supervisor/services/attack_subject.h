// Whose sandbox is attacked, and which other plugin it shall not reach.
#pragma once

#include <filesystem>

#include "supervisor/attack/attack_targets.h"
#include "supervisor/lifecycle/plugin_registry.h"

namespace supervisor::services {

/// Of `plugin`, which has a worker. On the core thread; reads a few small files.
attack::AttackSubject attack_subject(const lifecycle::SupervisionContext& context,
                                     const lifecycle::PluginRegistry& registry,
                                     const lifecycle::PluginSupervision& plugin,
                                     const std::filesystem::path& supervisor_socket);

}  // namespace supervisor::services
