// The few things of Python's C interface that the module needs, as types that
// clean up after themselves. Limited API only: one build serves every
// interpreter from 3.11 on.
#pragma once

// First: Python.h decides on macros that the C library's headers read.
#define PY_SSIZE_T_CLEAN  // The sizes of "#" formats are Py_ssize_t.
#include <Python.h>

#include <string>
#include <string_view>
#include <utility>

namespace plugin_worker {

/// One owned reference, or none. Use with the GIL held.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* owned) : object_(owned) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    if (this != &other) {
      Py_XDECREF(object_);
      object_ = std::exchange(other.object_, nullptr);
    }
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() { Py_XDECREF(object_); }

  static Ref borrowed(PyObject* object) {
    Py_XINCREF(object);
    return Ref(object);
  }
  [[nodiscard]] PyObject* get() const { return object_; }
  [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

/// Lets other Python threads run while this one does something native.
class GilReleased {
 public:
  GilReleased() : state_(PyEval_SaveThread()) {}
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;
  ~GilReleased() { PyEval_RestoreThread(state_); }

 private:
  PyThreadState* state_;
};

/// Makes a native thread a Python thread; the thread's state lives as long as
/// this does.
class GilHeld {
 public:
  GilHeld() : state_(PyGILState_Ensure()) {}
  GilHeld(const GilHeld&) = delete;
  GilHeld& operator=(const GilHeld&) = delete;
  ~GilHeld() { PyGILState_Release(state_); }

 private:
  PyGILState_STATE state_;
};

/// A str; bytes that are not UTF-8 are replaced. Null with an exception set
/// when memory is short.
PyObject* to_str(std::string_view text);

/// The UTF-8 of a str (or the content of bytes). Lone surrogates and other
/// objects give what can be had; never an exception.
std::string to_string(PyObject* object);

/// Takes the pending exception: "ValueError: text". Empty when there is none.
std::string take_exception();

}  // namespace plugin_worker
