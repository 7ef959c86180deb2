#include "worker_shim/native/assignment.h"

// After Python.h.
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "plugin_supervisor/v1/spawner.pb.h"
#include "worker_shim/native/sandbox/apply.h"
#include "worker_shim/native/sandbox_outcome.h"

namespace plugin_worker {
namespace {

namespace v1 = plugin_supervisor::v1;

/// Everything up to the end; nothing, with errno set, when reading fails.
std::optional<std::string> read_all(int fd) {
  std::string text;
  char part[4096];
  for (;;) {
    const auto size = ::read(fd, part, sizeof part);
    if (size == 0) return text;
    if (size < 0 && errno != EINTR) return std::nullopt;
    if (size > 0) text.append(part, static_cast<std::size_t>(size));
  }
}

// Variables that the spawner was started with are also changed where the kernel
// looks for them (proc(5), environ): setenv() would put them elsewhere, and a
// fork that executes nothing would show the spawner's.
void overwrite_environment(const v1::WorkerAssignment& assignment) {
  for (const auto& variable : assignment.environment()) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos) continue;
    char* const place = ::getenv(variable.substr(0, equals).c_str());
    const std::string value = variable.substr(equals + 1);
    if (place == nullptr || std::strlen(place) < value.size()) continue;
    std::memset(place, 0, std::strlen(place));
    std::copy(value.begin(), value.end(), place);
  }
}

PyObject* as_tuple(const v1::WorkerAssignment& assignment) {
  const Ref environment(PyList_New(0));
  if (!environment) return nullptr;
  for (const auto& variable : assignment.environment()) {
    const Ref text(to_str(variable));
    if (!text || PyList_Append(environment.get(), text.get()) != 0) return nullptr;
  }
  return Py_BuildValue("sKsy#O", assignment.plugin().c_str(),
                       static_cast<unsigned long long>(assignment.generation()),
                       assignment.socket_path().c_str(), assignment.token().data(),
                       static_cast<Py_ssize_t>(assignment.token().size()), environment.get());
}

}  // namespace

PyObject* take_assignment(PyObject*, PyObject* fd) {
  const int pipe = static_cast<int>(PyLong_AsLong(fd));
  if (PyErr_Occurred() != nullptr) return nullptr;
  const auto bytes = read_all(pipe);
  if (!bytes) return PyErr_SetFromErrno(PyExc_OSError);
  ::close(pipe);
  if (bytes->empty()) Py_RETURN_NONE;
  v1::WorkerAssignment assignment;
  if (!assignment.ParseFromString(*bytes)) {
    PyErr_SetString(PyExc_OSError, "an assignment that cannot be read");
    return nullptr;
  }
  overwrite_environment(assignment);
  ::prctl(PR_SET_NAME, "plugin-worker", 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (assignment.has_sandbox()) sandbox_outcome() = sandbox::apply(assignment.sandbox());
  return as_tuple(assignment);
}

}  // namespace plugin_worker
