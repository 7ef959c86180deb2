// What Python calls in a spawner:
// spawn_workers(control_fd, init_program, python_version), and before it
// enter_own_privileges() where it has none.
#pragma once

#include "worker_shim/native/python.h"

namespace plugin_worker {

/// Serves a spawner's control socket. Returns in each forked worker the
/// descriptor that its assignment comes from and whether that may take long, and
/// in the spawner None when the supervisor is gone. Raises OSError.
PyObject* spawn_workers(PyObject* module, PyObject* args);

/// enter_own_privileges(): see sandbox/own_privileges.h. Raises OSError.
PyObject* enter_own_privileges(PyObject* module, PyObject* none);

}  // namespace plugin_worker
