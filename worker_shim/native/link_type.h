// The Python type plugin_worker._native.Link: one object per process, the
// package's only way to the supervisor.
#pragma once

#include "worker_shim/native/python.h"

namespace plugin_worker {

/// A new reference to the type, or null with an exception set.
PyObject* make_link_type();

}  // namespace plugin_worker
