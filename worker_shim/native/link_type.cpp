#include "worker_shim/native/link_type.h"

#include <algorithm>
#include <system_error>

#include "worker_shim/native/frame_values.h"
#include "worker_shim/native/host_methods.h"
#include "worker_shim/native/python_plugin.h"
#include "worker_shim/native/worker.h"

namespace plugin_worker {
namespace {

// Neither is ever destroyed: their threads run until _exit.
struct LinkObject {
  PyObject_HEAD;
  PythonPlugin* plugin;
  Worker* worker;
};

Worker& worker_of(PyObject* self) { return *reinterpret_cast<LinkObject*>(self)->worker; }

template <typename Function>
PyCFunction as_method(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyObject* attach(PyTypeObject* type, PyObject* args, PyObject*) {
  const char* socket_path = nullptr;
  const char* plugin = nullptr;
  unsigned long long generation = 0;
  const char* token = nullptr;
  Py_ssize_t token_size = 0;
  const char* python_version = nullptr;
  if (PyArg_ParseTuple(args, "ssKy#s", &socket_path, &plugin, &generation, &token, &token_size,
                       &python_version) == 0) {
    return nullptr;
  }
  auto* allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
  Ref self(allocate(type, 0));
  if (!self) return nullptr;
  auto* object = reinterpret_cast<LinkObject*>(self.get());
  try {
    const Worker::Launch launch{socket_path,
                                plugin,
                                generation,
                                {token, static_cast<std::size_t>(token_size)},
                                python_version};
    object->plugin = new PythonPlugin();
    object->worker = new Worker(launch, *object->plugin);
    object->plugin->set_worker(*object->worker);
  } catch (const std::system_error& error) {
    PyErr_SetString(PyExc_ConnectionError, error.what());
    return nullptr;
  }
  // One reference too many, so that the object outlives every thread.
  Py_INCREF(self.get());
  return self.release();
}

PyObject* wait_for_load(PyObject* self, PyObject* args) {
  double seconds = 0;
  if (PyArg_ParseTuple(args, "d", &seconds) == 0) return nullptr;
  auto& worker = worker_of(self);
  std::optional<v1::Load> load;
  {
    const GilReleased released;
    load = worker.wait_for_load(std::chrono::milliseconds(static_cast<long>(seconds * 1000)));
  }
  if (!load) {
    PyErr_SetString(PyExc_ConnectionError, worker.why_ended().c_str());
    return nullptr;
  }
  return load_to_dict(*load);
}

void tell_loaded(Worker& worker, v1::WorkerFrame&& frame) {
  const GilReleased released;
  worker.tell_loaded(std::move(frame));
}

void fill_loaded(v1::Loaded& loaded, PyObject* metadata, PyObject* warnings) {
  metadata_from_dict(metadata, *loaded.mutable_metadata());
  for_each_str(warnings, [&](std::string line) { loaded.add_warnings(std::move(line)); });
}

PyObject* loaded(PyObject* self, PyObject* args) {
  PyObject* metadata = nullptr;
  PyObject* warnings = nullptr;
  unsigned int import_us = 0;
  unsigned int construct_us = 0;
  if (PyArg_ParseTuple(args, "OOII", &metadata, &warnings, &import_us, &construct_us) == 0) {
    return nullptr;
  }
  v1::WorkerFrame frame;
  fill_loaded(*frame.mutable_loaded(), metadata, warnings);
  frame.mutable_loaded()->set_import_us(import_us);
  frame.mutable_loaded()->set_construct_us(construct_us);
  // From here on there is something to stop, although this thread comes to it
  // a moment later.
  worker_of(self).calls().serve();
  tell_loaded(worker_of(self), std::move(frame));
  Py_RETURN_NONE;
}

PyObject* metadata_changed(PyObject* self, PyObject* args) {
  PyObject* metadata = nullptr;
  PyObject* warnings = nullptr;
  if (PyArg_ParseTuple(args, "OO", &metadata, &warnings) == 0) return nullptr;
  v1::WorkerFrame frame;
  fill_loaded(*frame.mutable_metadata_changed(), metadata, warnings);
  tell_loaded(worker_of(self), std::move(frame));
  Py_RETURN_NONE;
}

PyObject* load_failed(PyObject* self, PyObject* failure) {
  auto& worker = worker_of(self);
  v1::WorkerFrame frame;
  *frame.mutable_load_failed() = failure_from_tuple(failure, worker.plugin());
  tell_loaded(worker, std::move(frame));
  Py_RETURN_NONE;
}

/// Valid UTF-8 in, the same without control characters out.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }, ' ');
  return text;
}

/// log(level, logger, lines, time_us, job) -> False in a forked child.
PyObject* log(PyObject* self, PyObject* args) {
  int level = 0;
  PyObject* logger = nullptr;
  PyObject* lines = nullptr;
  long long time_us = 0;
  const char* job = nullptr;
  Py_ssize_t job_size = 0;
  if (PyArg_ParseTuple(args, "iOOLs#", &level, &logger, &lines, &time_us, &job, &job_size) == 0) {
    return nullptr;
  }
  auto& worker = worker_of(self);
  if (worker.is_forked_child()) Py_RETURN_FALSE;
  const auto name = printable(to_string(logger));
  for_each_str(lines, [&](std::string text) {
    v1::LogLine line;
    line.set_time_unix_us(time_us);
    line.set_level(v1::LogLevel_IsValid(level) ? static_cast<v1::LogLevel>(level)
                                               : v1::LOG_LEVEL_INFO);
    line.set_source(v1::LOG_SOURCE_LOGGER);
    line.set_generation(worker.generation());
    line.set_logger(name);
    line.set_job(job, static_cast<std::size_t>(job_size));
    line.set_text(printable(std::move(text)));
    worker.outbox().put_log(std::move(line));
  });
  worker.outbox().flush_soon();
  Py_RETURN_TRUE;
}

/// emit(name, payload_json) -> False in a forked child.
PyObject* emit(PyObject* self, PyObject* args) {
  PyObject* name = nullptr;
  PyObject* payload = nullptr;
  if (PyArg_ParseTuple(args, "OO", &name, &payload) == 0) return nullptr;
  auto& worker = worker_of(self);
  if (worker.is_forked_child()) Py_RETURN_FALSE;
  v1::EmittedEvent event;
  event.set_name(to_string(name));
  event.set_payload_json(to_string(payload));
  if (!worker.outbox().put_event(std::move(event))) {
    PyErr_SetString(PyExc_BufferError, "too many events wait to be sent");
    return nullptr;
  }
  worker.outbox().flush_soon();
  Py_RETURN_TRUE;
}

PyObject* max_result_bytes(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(worker_of(self).max_result_bytes());
}

/// serve(host): runs what comes, for ever. Raises only SystemExit, when a
/// signal handler did.
PyObject* serve(PyObject* self, PyObject* host) {
  auto& plugin = *reinterpret_cast<LinkObject*>(self)->plugin;
  plugin.set_host(Ref::borrowed(host));
  plugin.run_main_thread();
  return nullptr;
}

/// set_idle(function): how the main thread waits for a descriptor.
PyObject* set_idle(PyObject* self, PyObject* idle) {
  reinterpret_cast<LinkObject*>(self)->plugin->set_idle(Ref::borrowed(idle));
  Py_RETURN_NONE;
}

PyObject* wakeup_fd(PyObject* self, PyObject*) {
  return PyLong_FromLong(worker_of(self).calls().wakeup_fd());
}

/// set_interruption(exception type, signal), on the main thread.
PyObject* set_interruption(PyObject* self, PyObject* args) {
  PyObject* exception = nullptr;
  int signal = 0;
  if (PyArg_ParseTuple(args, "Oi", &exception, &signal) == 0) return nullptr;
  reinterpret_cast<LinkObject*>(self)->plugin->set_interruption(Ref::borrowed(exception), signal);
  Py_RETURN_NONE;
}

PyObject* take_main_interrupt(PyObject* self, PyObject*) {
  return PyBool_FromLong(worker_of(self).running().take_main_interrupt() ? 1 : 0);
}

/// progress(call id, fraction, message)
PyObject* progress(PyObject* self, PyObject* args) {
  constexpr std::size_t max_message = 1000;
  unsigned long long id = 0;
  double fraction = 0;
  PyObject* message = nullptr;
  if (PyArg_ParseTuple(args, "KdO", &id, &fraction, &message) == 0) return nullptr;
  auto& worker = worker_of(self);
  // A thread that the call has left behind has nothing to tell any more.
  if (worker.is_forked_child() || !worker.running().is_running(id)) Py_RETURN_NONE;
  auto text = to_string(message);
  if (text.size() > max_message) {
    text.resize(max_message);
    // Not within a character.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80)
      text.pop_back();
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0x80) text.pop_back();
  }
  worker.progress().tell(id, fraction, printable(std::move(text)));
  Py_RETURN_NONE;
}

PyObject* is_cancelled(PyObject* self, PyObject* args) {
  unsigned long long id = 0;
  if (PyArg_ParseTuple(args, "K", &id) == 0) return nullptr;
  return PyBool_FromLong(worker_of(self).running().is_cancelled(id) ? 1 : 0);
}

/// set_stack_dump(file descriptor, signal)
PyObject* set_stack_dump(PyObject* self, PyObject* args) {
  int file = -1;
  int signal = 0;
  if (PyArg_ParseTuple(args, "ii", &file, &signal) == 0) return nullptr;
  worker_of(self).stacks().prepare(file, signal);
  Py_RETURN_NONE;
}

template <PyObject* (*Method)(Worker&, PyObject*)>
PyObject* of_worker(PyObject* self, PyObject* args) {
  return Method(worker_of(self), args);
}

PyObject* forget_after_fork(PyObject* self, PyObject*) {
  worker_of(self).forget_after_fork();
  Py_RETURN_NONE;
}

}  // namespace

PyObject* make_link_type() {
  // Static: the type refers to them for as long as it lives.
  static PyMethodDef methods[] = {
      {"wait_for_load", wait_for_load, METH_VARARGS, "What to load, as a dict."},
      {"loaded", loaded, METH_VARARGS, "The plugin is loaded: metadata, warnings, times."},
      {"metadata_changed", metadata_changed, METH_VARARGS, "Metadata computed again."},
      {"load_failed", load_failed, METH_O, "The plugin did not load: a failure tuple."},
      {"log", log, METH_VARARGS, "Log lines: level, logger, lines, time in microseconds, job."},
      {"emit", emit, METH_VARARGS, "An event: name, JSON bytes."},
      {"max_result_bytes", max_result_bytes, METH_NOARGS, "The limit of a result."},
      {"serve", serve, METH_O, "Runs calls on this, the main, thread."},
      {"set_idle", set_idle, METH_O, "How the main thread waits for a descriptor."},
      {"wakeup_fd", wakeup_fd, METH_NOARGS, "For signal.set_wakeup_fd()."},
      {"set_interruption", set_interruption, METH_VARARGS, "What a cancelled call is ended with."},
      {"take_main_interrupt", take_main_interrupt, METH_NOARGS, "Whether to raise it now."},
      {"progress", progress, METH_VARARGS, "How far a call is: id, fraction, message."},
      {"is_cancelled", is_cancelled, METH_VARARGS, "Whether nobody waits for a call any more."},
      {"set_stack_dump", set_stack_dump, METH_VARARGS,
       "Where faulthandler writes stacks, and on which signal."},
      {"host_call", of_worker<begin_host_call>, METH_VARARGS, "Asks the host: method, JSON bytes."},
      {"host_answer", of_worker<wait_for_host>, METH_VARARGS, "Waits for what the host answers."},
      {"host_forget", of_worker<forget_host_call>, METH_VARARGS, "Nobody waits for it any more."},
      {"report_task", of_worker<report_task>, METH_VARARGS, "How a background task fares."},
      {"forget_after_fork", forget_after_fork, METH_NOARGS, "For a forked child."},
      {nullptr, nullptr, 0, nullptr}};
  static PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(as_method(attach))},
                                {Py_tp_methods, methods},
                                {0, nullptr}};
  static PyType_Spec spec = {"plugin_worker._native.Link", sizeof(LinkObject), 0,
                             Py_TPFLAGS_DEFAULT, slots};
  return PyType_FromSpec(&spec);
}

}  // namespace plugin_worker
