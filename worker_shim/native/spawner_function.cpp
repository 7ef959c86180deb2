#include "worker_shim/native/spawner_function.h"

// After Python.h.
#include <system_error>

#include "worker_shim/native/spawner.h"

namespace plugin_worker {

PyObject* spawn_workers(PyObject*, PyObject* args) {
  int control = -1;
  const char* python_version = nullptr;
  if (PyArg_ParseTuple(args, "is", &control, &python_version) == 0) return nullptr;
  std::optional<WorkerLaunch> launch;
  try {
    launch = Spawner(control, python_version).serve();
  } catch (const std::system_error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
    return nullptr;
  }
  if (!launch) Py_RETURN_NONE;
  const Ref environment(PyList_New(0));
  if (!environment) return nullptr;
  for (const auto& variable : launch->environment) {
    const Ref text(to_str(variable));
    if (!text || PyList_Append(environment.get(), text.get()) != 0) return nullptr;
  }
  return Py_BuildValue("sKsiO", launch->plugin.c_str(),
                       static_cast<unsigned long long>(launch->generation),
                       launch->socket_path.c_str(), WorkerLaunch::token_fd, environment.get());
}

}  // namespace plugin_worker
