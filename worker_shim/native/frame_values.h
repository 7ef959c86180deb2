// Between the messages of the link and the plain dicts, tuples and strings
// that the Python package works with. All with the GIL held.
#pragma once

#include "worker_shim/native/python.h"

// After Python.h.
#include "plugin_supervisor/v1/worker_link.pb.h"

namespace plugin_worker {

namespace v1 = plugin_supervisor::v1;

/// {"key", "directory", "folder_name", "plugins_dir", "manifest": {...},
/// "legacy", "settings_json"}. Null with an exception set when memory is short.
PyObject* load_to_dict(const v1::Load& load);

/// From a dict whose keys are the names of PluginMetadata's fields; others are
/// ignored.
void metadata_from_dict(PyObject* dict, v1::PluginMetadata& metadata);

/// From (reason, step, message, hint, [evidence, ...]). What does not fit the
/// form becomes REASON_INTERNAL.
v1::Failure failure_from_tuple(PyObject* tuple, const std::string& plugin);

/// The items of a list of str, for a repeated field.
template <typename Add>
void for_each_str(PyObject* list, Add add) {
  if (list == nullptr || !PyList_Check(list)) return;
  const Py_ssize_t size = PyList_Size(list);
  for (Py_ssize_t i = 0; i < size; ++i) add(to_string(PyList_GetItem(list, i)));
}

}  // namespace plugin_worker
