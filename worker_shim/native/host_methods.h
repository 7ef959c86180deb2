// Methods of the type Link for what Python code asks of the host, and for what
// it tells of its background tasks. All with the GIL held.
#pragma once

#include "worker_shim/native/python.h"

// After Python.h.
#include "worker_shim/native/worker.h"

namespace plugin_worker {

/// host_call(method, params_json) -> the call's number. Raises BlockingIOError
/// when too many wait, ConnectionError in a forked child.
PyObject* begin_host_call(Worker& worker, PyObject* args);

/// host_answer(number, seconds) -> bytes, a failure tuple, or None when it is
/// not there yet. Raises ConnectionError when it will not come. Waits without
/// the GIL.
PyObject* wait_for_host(Worker& worker, PyObject* args);

/// host_forget(number): nobody waits for it any more.
PyObject* forget_host_call(Worker& worker, PyObject* args);

/// report_task(id, name, state, result_json or None, failure tuple or None,
/// parent job) -> False in a forked child.
PyObject* report_task(Worker& worker, PyObject* args);

}  // namespace plugin_worker
