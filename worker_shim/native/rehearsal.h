// What a spare worker does before it is wanted.
#pragma once

#include "worker_shim/native/python.h"

namespace plugin_worker {

/// rehearse_link(): opens a link whose other end nobody serves, says something
/// over it, and closes it. Sets gRPC up, and takes the page faults of a first
/// link. Raises OSError.
PyObject* rehearse_link(PyObject*, PyObject*);

}  // namespace plugin_worker
