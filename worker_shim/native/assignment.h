// What a forked worker is told through its pipe: which plugin it is to run.
#pragma once

#include "worker_shim/native/python.h"

namespace plugin_worker {

/// take_assignment(fd): waits for the assignment and closes `fd`. Returns
/// (plugin, generation, socket path, token, ["NAME=value", ...]), or None when
/// there will be none. Raises OSError.
PyObject* take_assignment(PyObject*, PyObject* fd);

}  // namespace plugin_worker
