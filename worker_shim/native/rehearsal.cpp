#include "worker_shim/native/rehearsal.h"

// After Python.h.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker_shim/native/link_stream.h"

namespace plugin_worker {

PyObject* rehearse_link(PyObject*, PyObject*) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return PyErr_SetFromErrno(PyExc_OSError);
  {
    bool is_written = false;
    LinkStream stream(ends[0], [&is_written](bool) { is_written = true; });
    v1::WorkerBatch batch;
    batch.add_frames()->mutable_hello()->set_protocol_version(1);
    stream.write(batch, false);
    // The socket takes it at once; poll() goes on waiting for an answer.
    constexpr std::chrono::milliseconds patience(1);
    for (int tries = 0; !is_written && tries < 20; ++tries) stream.poll(patience);
  }
  ::close(ends[1]);
  Py_RETURN_NONE;
}

}  // namespace plugin_worker
