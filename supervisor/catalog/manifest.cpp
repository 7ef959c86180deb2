#include "supervisor/catalog/manifest.h"

#include "supervisor/catalog/json_document.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::catalog {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

Manifest refused(v1::Reason reason, const std::string& key, std::string message, std::string hint) {
  return {.error =
              make_failure(reason, "read plugin.json", std::move(message), std::move(hint), key)};
}

Manifest unusable(const std::string& why) {
  return {.warning = "plugin.json " + why + "; the plugin is treated as legacy"};
}

Manifest too_large(const std::string& key, std::size_t max_bytes) {
  return refused(
      v1::REASON_MANIFEST_TOO_LARGE, key,
      "plugin.json of plugin '" + key + "' is larger than " + std::to_string(max_bytes) + " bytes.",
      "Keep data out of the manifest; it holds only names, fields and actions.");
}

}  // namespace

Manifest parse_manifest(std::string_view text, const std::string& key) {
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  auto document = parse_document(text);
  if (document.too_deep)
    return refused(v1::REASON_MANIFEST_INVALID, key,
                   "plugin.json of plugin '" + key + "' is nested deeper than " +
                       std::to_string(sys::max_json_depth) + " levels (" + document.error + ").",
                   "Flatten the manifest.");
  if (!document.value) return unusable("is not valid JSON (" + document.error + ")");
  if (!document.value->is_object()) return unusable("is not a JSON object");
  return {.object = std::move(document.value->get_object())};
}

Manifest read_manifest(const PluginDirectory& directory, const std::string& key,
                       std::size_t max_bytes) {
  const auto& file = directory.manifest;
  switch (file.kind) {
    case CandidateFile::Kind::absent:
      return {};
    case CandidateFile::Kind::irregular:
      return refused(v1::REASON_MANIFEST_INVALID, key,
                     "plugin.json of plugin '" + key + "' " + file.problem() + ".",
                     "Replace it by a JSON file, or remove it.");
    case CandidateFile::Kind::unreachable:
      return unusable(file.problem());
    case CandidateFile::Kind::regular:
      break;
  }
  if (file.status.st_size > 0 && static_cast<std::size_t>(file.status.st_size) > max_bytes)
    return too_large(key, max_bytes);
  try {
    return parse_manifest(sys::read_file(directory.path / "plugin.json", max_bytes), key);
  } catch (const sys::FileTooLarge&) {
    return too_large(key, max_bytes);  // It grew since it was looked at.
  } catch (const std::system_error& error) {
    return unusable("cannot be read: " + error.code().message());
  }
}

}  // namespace supervisor::catalog
