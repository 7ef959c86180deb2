#include "worker_shim/native/python.h"

namespace plugin_worker {

PyObject* to_str(std::string_view text) {
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

std::string to_string(PyObject* object) {
  if (object == nullptr) return {};
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_Check(object)) {
    if (PyBytes_AsStringAndSize(object, &data, &size) == 0) {
      return {data, static_cast<std::size_t>(size)};
    }
  } else if (PyUnicode_Check(object)) {
    const Ref bytes(PyUnicode_AsEncodedString(object, "utf-8", "replace"));
    if (bytes && PyBytes_AsStringAndSize(bytes.get(), &data, &size) == 0) {
      return {data, static_cast<std::size_t>(size)};
    }
  }
  PyErr_Clear();
  return {};
}

std::string take_exception() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  if (type == nullptr) return {};
  PyErr_NormalizeException(&type, &value, &traceback);
  const Ref own_type(type);
  const Ref own_value(value);
  const Ref own_traceback(traceback);
  const Ref name(PyObject_GetAttrString(type, "__name__"));
  const Ref text(value != nullptr ? PyObject_Str(value) : nullptr);
  auto said = to_string(name.get());
  if (const auto detail = to_string(text.get()); !detail.empty()) said += ": " + detail;
  PyErr_Clear();
  return said;
}

}  // namespace plugin_worker
