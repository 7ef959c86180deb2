#include "worker_shim/native/frame_values.h"

#include <google/protobuf/descriptor.h>

#include "supervisor/sys/utf8_prefix.h"

namespace plugin_worker {
namespace {

using google::protobuf::FieldDescriptor;

bool set_item(PyObject* dict, const char* name, PyObject* value) {
  const Ref owned(value);
  return owned && PyDict_SetItemString(dict, name, owned.get()) == 0;
}

/// Every field of PluginMetadata is text: strings and JSON bytes.
PyObject* metadata_to_dict(const v1::PluginMetadata& metadata) {
  Ref dict(PyDict_New());
  if (!dict) return nullptr;
  const auto* descriptor = v1::PluginMetadata::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    if (field->is_repeated() || (field->type() != FieldDescriptor::TYPE_STRING &&
                                 field->type() != FieldDescriptor::TYPE_BYTES)) {
      continue;
    }
    const auto text = metadata.GetReflection()->GetString(metadata, field);
    if (!set_item(dict.get(), field->name().c_str(), to_str(text))) return nullptr;
  }
  return dict.release();
}

}  // namespace

PyObject* load_to_dict(const v1::Load& load) {
  Ref dict(PyDict_New());
  if (dict && set_item(dict.get(), "key", to_str(load.key())) &&
      set_item(dict.get(), "directory", to_str(load.directory())) &&
      set_item(dict.get(), "folder_name", to_str(load.folder_name())) &&
      set_item(dict.get(), "plugins_dir", to_str(load.plugins_dir())) &&
      set_item(dict.get(), "manifest", metadata_to_dict(load.manifest())) &&
      set_item(dict.get(), "legacy", PyBool_FromLong(load.legacy() ? 1 : 0)) &&
      set_item(dict.get(), "settings_json", to_str(load.settings_json()))) {
    return dict.release();
  }
  return nullptr;
}

void metadata_from_dict(PyObject* dict, v1::PluginMetadata& metadata) {
  if (!PyDict_Check(dict)) return;
  const auto* descriptor = v1::PluginMetadata::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    PyObject* value = PyDict_GetItemString(dict, field->name().c_str());
    if (value == nullptr || field->is_repeated() ||
        (field->type() != FieldDescriptor::TYPE_STRING &&
         field->type() != FieldDescriptor::TYPE_BYTES)) {
      continue;
    }
    metadata.GetReflection()->SetString(&metadata, field, to_string(value));
  }
}

namespace {

// What the supervisor keeps of it is less still.
std::string bounded(std::string text) {
  constexpr std::size_t most = 256u << 10;
  text.resize(supervisor::sys::utf8_prefix(text, most).size());
  return text;
}

}  // namespace

v1::Failure failure_from_tuple(PyObject* tuple, const std::string& plugin) {
  v1::Failure failure;
  failure.set_plugin(plugin);
  failure.set_reason(v1::REASON_INTERNAL);
  if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != 5) {
    failure.set_message("The worker's own code answered with something that is no failure.");
    return failure;
  }
  const long reason = PyLong_AsLong(PyTuple_GetItem(tuple, 0));
  PyErr_Clear();
  if (v1::Reason_IsValid(static_cast<int>(reason))) {
    failure.set_reason(static_cast<v1::Reason>(reason));
  }
  failure.set_step(to_string(PyTuple_GetItem(tuple, 1)));
  failure.set_message(bounded(to_string(PyTuple_GetItem(tuple, 2))));
  failure.set_hint(to_string(PyTuple_GetItem(tuple, 3)));
  for_each_str(PyTuple_GetItem(tuple, 4),
               [&](std::string line) { failure.add_evidence(bounded(std::move(line))); });
  return failure;
}

}  // namespace plugin_worker
