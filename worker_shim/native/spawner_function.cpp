#include "worker_shim/native/spawner_function.h"

// After Python.h.
#include <system_error>

#include "worker_shim/native/sandbox/own_privileges.h"
#include "worker_shim/native/spawner.h"
#include "worker_shim/native/worker_init.h"

namespace plugin_worker {

PyObject* spawn_workers(PyObject*, PyObject* args) {
  int control = -1;
  const char* init = nullptr;
  const char* python_version = nullptr;
  if (PyArg_ParseTuple(args, "iss", &control, &init, &python_version) == 0) return nullptr;
  bool is_worker = false;
  bool is_spare = false;
  try {
    Spawner spawner(control, init, python_version);
    is_worker = spawner.serve();
    is_spare = spawner.is_spare();
  } catch (const std::system_error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
    return nullptr;
  }
  if (!is_worker) Py_RETURN_NONE;
  return Py_BuildValue("iO", assignment_fd, is_spare ? Py_True : Py_False);
}

PyObject* enter_own_privileges(PyObject*, PyObject*) {
  try {
    sandbox::enter_own_privileges();
  } catch (const std::system_error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
    return nullptr;
  }
  Py_RETURN_NONE;
}

}  // namespace plugin_worker
