#include "worker_shim/native/python_plugin.h"

#include <unistd.h>

#include "worker_shim/native/frame_values.h"

namespace plugin_worker {
namespace {

/// The host object answers for whatever the plugin does; an exception that
/// still comes through is told, not kept.
v1::Failure unexpected(const std::string& plugin, v1::Reason reason) {
  v1::Failure failure;
  failure.set_reason(reason);
  failure.set_step("run");
  failure.set_plugin(plugin);
  failure.set_message(take_exception());
  return failure;
}

}  // namespace

void PythonPlugin::set_interruption(Ref exception, int signal) {
  cancelled_ = std::move(exception);
  interrupt_signal_ = signal;
  main_thread_ = ::pthread_self();
  main_ident_ = PyThread_get_thread_ident();
}

void PythonPlugin::interrupt(std::uint64_t call_id, std::chrono::milliseconds grace) {
  if (!worker_->running().outlasts(call_id, grace)) return;
  const GilHeld held;
  const auto target = worker_->running().interrupt(call_id);
  if (!target || !cancelled_) return;
  if (target->on_main) {
    // A signal also ends a wait in a system call, which an asynchronous
    // exception does not.
    ::pthread_kill(main_thread_, interrupt_signal_);
  } else {
    PyThreadState_SetAsyncExc(target->thread, cancelled_.get());
  }
}

void PythonPlugin::call(const v1::Invoke& invoke, v1::Result& result) {
  result.set_call_id(invoke.call_id());
  const unsigned long thread = PyThread_get_thread_ident();
  worker_->running().begin(invoke.call_id(), thread, thread == main_ident_);
  const Ref answer(PyObject_CallMethod(
      host_.get(), "call", "is#s#Ks#", static_cast<int>(invoke.kind()), invoke.name().data(),
      static_cast<Py_ssize_t>(invoke.name().size()), invoke.params_json().data(),
      static_cast<Py_ssize_t>(invoke.params_json().size()),
      static_cast<unsigned long long>(invoke.call_id()), invoke.job_id().data(),
      static_cast<Py_ssize_t>(invoke.job_id().size())));
  worker_->progress().end(invoke.call_id());
  // With the GIL held no new interruption can come between; one that did not
  // reach the call must not reach the next.
  if (worker_->running().end(invoke.call_id())) PyThreadState_SetAsyncExc(thread, nullptr);
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (!answer) {
    *result.mutable_failure() = unexpected(worker_->plugin(), v1::REASON_PLUGIN_RAISED);
  } else if (PyBytes_Check(answer.get()) &&
             PyBytes_AsStringAndSize(answer.get(), &data, &size) == 0) {
    result.set_result_json(data, static_cast<std::size_t>(size));
  } else {
    *result.mutable_failure() = failure_from_tuple(answer.get(), worker_->plugin());
  }
}

void PythonPlugin::run(const Job& job, v1::WorkerFrame& answer) {
  if (const auto settings = worker_->calls().take_settings()) {
    const Ref done(PyObject_CallMethod(host_.get(), "change_settings", "s#", settings->data(),
                                       static_cast<Py_ssize_t>(settings->size())));
    if (!done) PyErr_WriteUnraisable(host_.get());
  }
  if (job.what == Job::What::call) {
    call(job.invoke, *answer.mutable_result());
  } else {
    const Ref done(PyObject_CallMethod(host_.get(), "refresh", nullptr));
    if (!done) PyErr_WriteUnraisable(host_.get());
  }
  // A plugin that forked and returned in the child as well: the answer is the
  // parent's to give.
  if (worker_->is_forked_child()) ::_exit(0);
}

bool PythonPlugin::handle_signals() {
  if (PyErr_CheckSignals() == 0) return true;
  if (PyErr_ExceptionMatches(PyExc_SystemExit) != 0) return false;
  // KeyboardInterrupt and whatever else a plugin's handler raises end nothing:
  // the supervisor decides when this process ends.
  PyErr_WriteUnraisable(host_.get());
  return true;
}

bool PythonPlugin::wait_for_job() {
  {
    const GilReleased released;
    worker_->outbox().flush_here();
    if (!idle_) {
      worker_->wait_for_job();
      return true;
    }
    worker_->leave_link_to_reader();
  }
  const int readable = worker_->calls().park_main();
  if (readable < 0) return true;
  const Ref waited(PyObject_CallFunction(idle_.get(), "i", readable));
  worker_->calls().unpark_main();
  if (waited) return true;
  // Signal handlers run there, too; see handle_signals().
  if (PyErr_ExceptionMatches(PyExc_SystemExit) != 0) return false;
  PyErr_WriteUnraisable(idle_.get());
  return true;
}

void PythonPlugin::run_main_thread() {
  auto& calls = worker_->calls();
  auto& outbox = worker_->outbox();
  calls.serve();
  for (;;) {
    if (!wait_for_job() || !handle_signals()) return;
    bool more = true;
    while (more) {
      auto job = calls.next_for_main();
      if (!job) break;
      if (job->what == Job::What::stop) {
        const GilReleased released;
        worker_->stop_and_exit(job->reason);
      }
      v1::WorkerFrame answer;
      run(*job, answer);
      // Idle before the answer leaves: who calls again on it finds this thread
      // free.
      more = calls.main_done();
      if (answer.has_result()) worker_->answer(std::move(answer));
      // With more to do here, another thread writes meanwhile.
      if (more) outbox.flush_soon();
    }
  }
}

void PythonPlugin::run_pool_thread() {
  auto& calls = worker_->calls();
  auto& outbox = worker_->outbox();
  // One Python thread for the life of this one: plugins keep thread-local
  // state.
  const GilHeld held;
  for (;;) {
    Job job;
    {
      const GilReleased released;
      job = calls.next_for_pool();
    }
    v1::WorkerFrame answer;
    run(job, answer);
    calls.pool_done();
    if (answer.has_result()) worker_->answer(std::move(answer));
    const GilReleased released;
    outbox.flush_here();
  }
}

void PythonPlugin::run_with_interpreter(const std::function<void()>& body) {
  const GilHeld held;
  body();
}

v1::Stopped PythonPlugin::stop(const std::string& reason) {
  const GilHeld held;
  v1::Stopped stopped;
  const Ref answer(PyObject_CallMethod(host_.get(), "stop", "s#", reason.data(),
                                       static_cast<Py_ssize_t>(reason.size())));
  if (!answer) {
    stopped.set_called(true);
    *stopped.mutable_failure() = unexpected(worker_->plugin(), v1::REASON_PLUGIN_RAISED);
  } else if (PyTuple_Check(answer.get()) && PyTuple_Size(answer.get()) == 2) {
    stopped.set_called(PyObject_IsTrue(PyTuple_GetItem(answer.get(), 0)) == 1);
    PyObject* failure = PyTuple_GetItem(answer.get(), 1);
    if (failure != Py_None) {
      *stopped.mutable_failure() = failure_from_tuple(failure, worker_->plugin());
    }
  }
  return stopped;
}

}  // namespace plugin_worker
