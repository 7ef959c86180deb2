// plugin_worker._native: the type Link, what a spawner does, and the reason
// codes by name.
#include "worker_shim/native/python.h"

// After Python.h.
#include <absl/synchronization/mutex.h>
#include <google/protobuf/descriptor.h>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "plugin_supervisor/v1/worker_link.pb.h"
#include "supervisor/sandbox/protection_list.h"
#include "worker_shim/native/assignment.h"
#include "worker_shim/native/link_type.h"
#include "worker_shim/native/rehearsal.h"
#include "worker_shim/native/sandbox_outcome.h"
#include "worker_shim/native/spawner_function.h"

namespace {

bool add_enum(PyObject* module, const google::protobuf::EnumDescriptor* values) {
  for (int i = 0; i < values->value_count(); ++i) {
    const auto* value = values->value(i);
    if (PyModule_AddIntConstant(module, value->name().c_str(), value->number()) != 0) return false;
  }
  return true;
}

PyObject* has_own_root(PyObject* /*self*/, PyObject* /*none*/) {
  const auto& done = plugin_worker::sandbox_outcome().done();
  return PyBool_FromLong(
      supervisor::sandbox::contains(done, plugin_supervisor::v1::PROTECTION_ROOT) ? 1 : 0);
}

int fill(PyObject* module) {
  namespace v1 = plugin_supervisor::v1;
  // Debian's abseil follows lock cycles in every lock of gRPC.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Read into the tables that reflection needs when they are first asked for: once
  // for all that are forked from here.
  v1::PluginMetadata::descriptor();
  plugin_worker::take_sandbox_outcome_variable();
  const plugin_worker::Ref type(plugin_worker::make_link_type());
  if (!type || PyModule_AddObjectRef(module, "Link", type.get()) != 0) return -1;
  return add_enum(module, v1::Reason_descriptor()) && add_enum(module, v1::CallKind_descriptor()) &&
                 add_enum(module, v1::HostMethod_descriptor()) &&
                 add_enum(module, v1::TaskReport::State_descriptor())
             ? 0
             : -1;
}

}  // namespace

// NOLINTNEXTLINE(bugprone-reserved-identifier): Python looks for this name.
PyMODINIT_FUNC PyInit__native() {
  static PyMethodDef methods[] = {{"spawn_workers", plugin_worker::spawn_workers, METH_VARARGS,
                                   "Forks workers as the supervisor asks."},
                                  {"enter_own_privileges", plugin_worker::enter_own_privileges,
                                   METH_NOARGS, "Enters a user namespace of its own."},
                                  {"take_assignment", plugin_worker::take_assignment, METH_O,
                                   "Waits for what a forked worker is to be."},
                                  {"has_own_root", has_own_root, METH_NOARGS,
                                   "Whether what was not granted is not there at all."},
                                  {"rehearse_link", plugin_worker::rehearse_link, METH_NOARGS,
                                   "Does what a first link takes longest for."},
                                  {nullptr, nullptr, 0, nullptr}};
  static PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(&fill)}, {0, nullptr}};
  static PyModuleDef module = {PyModuleDef_HEAD_INIT,
                               "_native",
                               "The worker's end of the link to the supervisor.",
                               0,
                               methods,
                               slots,
                               nullptr,
                               nullptr,
                               nullptr};
  return PyModuleDef_Init(&module);
}
