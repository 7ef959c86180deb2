// A user namespace for a spawner that may make no other namespaces: within, it
// may. Who is inside is who they were outside, and nobody else can be had.
#pragma once

namespace plugin_worker::sandbox {

/// This process, with all it forks, from now on. On the only thread. Throws
/// std::system_error.
void enter_own_privileges();

/// Whether it did.
[[nodiscard]] bool has_own_privileges();

}  // namespace plugin_worker::sandbox
