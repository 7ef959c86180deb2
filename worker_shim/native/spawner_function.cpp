#include "worker_shim/native/spawner_function.h"

// After Python.h.
#include <system_error>

#include "worker_shim/native/spawner.h"
#include "worker_shim/native/worker_init.h"

namespace plugin_worker {

PyObject* spawn_workers(PyObject*, PyObject* args) {
  int control = -1;
  const char* init = nullptr;
  const char* python_version = nullptr;
  if (PyArg_ParseTuple(args, "iss", &control, &init, &python_version) == 0) return nullptr;
  bool is_worker = false;
  try {
    is_worker = Spawner(control, init, python_version).serve();
  } catch (const std::system_error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
    return nullptr;
  }
  if (!is_worker) Py_RETURN_NONE;
  return PyLong_FromLong(assignment_fd);
}

}  // namespace plugin_worker
