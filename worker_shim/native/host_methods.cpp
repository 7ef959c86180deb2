#include "worker_shim/native/host_methods.h"

#include <algorithm>

#include "worker_shim/native/frame_values.h"

namespace plugin_worker {
namespace {

constexpr double longest_wait_s = 3600;

PyObject* failure_tuple(const v1::Failure& failure) {
  const Ref evidence(PyList_New(0));
  if (!evidence) return nullptr;
  for (const auto& line : failure.evidence()) {
    const Ref text(to_str(line));
    if (!text || PyList_Append(evidence.get(), text.get()) != 0) return nullptr;
  }
  const Ref step(to_str(failure.step()));
  const Ref message(to_str(failure.message()));
  const Ref hint(to_str(failure.hint()));
  if (!step || !message || !hint) return nullptr;
  return Py_BuildValue("iOOOO", static_cast<int>(failure.reason()), step.get(), message.get(),
                       hint.get(), evidence.get());
}

}  // namespace

PyObject* begin_host_call(Worker& worker, PyObject* args) {
  int method = 0;
  PyObject* params = nullptr;
  if (PyArg_ParseTuple(args, "iO", &method, &params) == 0) return nullptr;
  if (worker.is_forked_child()) {
    PyErr_SetString(PyExc_ConnectionError,
                    "a child process that the plugin forked cannot ask the host: the link is its "
                    "parent's");
    return nullptr;
  }
  const auto id = worker.host_calls().open();
  if (id == 0) {
    PyErr_SetString(PyExc_BlockingIOError, "too many threads wait for the host already");
    return nullptr;
  }
  v1::WorkerFrame frame;
  auto& call = *frame.mutable_host_call();
  call.set_call_id(id);
  call.set_method(static_cast<v1::HostMethod>(method));
  call.set_params_json(to_string(params));
  worker.outbox().put(std::move(frame));
  {
    const GilReleased released;
    worker.outbox().flush_here();
    // The main thread may be the one that polled last, and will wait here.
    worker.see_that_link_is_polled();
  }
  return PyLong_FromUnsignedLongLong(id);
}

PyObject* wait_for_host(Worker& worker, PyObject* args) {
  unsigned long long id = 0;
  double seconds = 0;
  if (PyArg_ParseTuple(args, "Kd", &id, &seconds) == 0) return nullptr;
  const auto patience =
      std::chrono::milliseconds(static_cast<long>(std::clamp(seconds, 0.0, longest_wait_s) * 1000));
  v1::HostAnswer answer;
  HostCalls::Waited waited{};
  {
    const GilReleased released;
    waited = worker.host_calls().wait(id, patience, answer);
  }
  switch (waited) {
    case HostCalls::Waited::not_yet:
      Py_RETURN_NONE;
    case HostCalls::Waited::lost:
      PyErr_SetString(PyExc_ConnectionError,
                      "the link to the supervisor was lost before the host answered; what was "
                      "asked may or may not have been done");
      return nullptr;
    case HostCalls::Waited::answered:
      break;
  }
  if (answer.has_failure()) return failure_tuple(answer.failure());
  return PyBytes_FromStringAndSize(answer.result_json().data(),
                                   static_cast<Py_ssize_t>(answer.result_json().size()));
}

PyObject* forget_host_call(Worker& worker, PyObject* args) {
  unsigned long long id = 0;
  if (PyArg_ParseTuple(args, "K", &id) == 0) return nullptr;
  worker.host_calls().forget(id);
  Py_RETURN_NONE;
}

PyObject* report_task(Worker& worker, PyObject* args) {
  PyObject* id = nullptr;
  PyObject* name = nullptr;
  int state = 0;
  PyObject* result = nullptr;
  PyObject* failure = nullptr;
  PyObject* parent = nullptr;
  if (PyArg_ParseTuple(args, "OOiOOO", &id, &name, &state, &result, &failure, &parent) == 0)
    return nullptr;
  if (worker.is_forked_child()) Py_RETURN_FALSE;
  v1::WorkerFrame frame;
  auto& report = *frame.mutable_task();
  report.set_id(to_string(id));
  report.set_name(to_string(name));
  report.set_state(static_cast<v1::TaskReport::State>(state));
  if (result != Py_None) report.set_result_json(to_string(result));
  if (failure != Py_None) *report.mutable_failure() = failure_from_tuple(failure, worker.plugin());
  report.set_parent_job_id(to_string(parent));
  worker.outbox().put(std::move(frame));
  worker.outbox().flush_soon();
  Py_RETURN_TRUE;
}

}  // namespace plugin_worker
