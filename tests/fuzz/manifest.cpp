// plugin.json, and what the parser of a plugin's source prints: fields, actions
// and the rest of the metadata. With stored settings after a NUL.
#include "supervisor/catalog/manifest.h"
#include "supervisor/catalog/catalog.h"
#include "supervisor/catalog/json_document.h"
#include "supervisor/catalog/legacy_inspector.h"
#include "supervisor/catalog/metadata_rules.h"
#include "supervisor/catalog/utf8.h"
#include "supervisor/sys/json_slice.h"
#include "tests/fuzz/expect.h"

namespace {

using namespace supervisor;
using fuzz::expect;

void check_metadata(const v1::PluginMetadata& metadata) {
  for (const auto* json :
       {&metadata.fields_json(), &metadata.actions_json(), &metadata.ui_schema_json(),
        &metadata.navigation_json(), &metadata.pages_json(), &metadata.permissions_json()})
    expect(json->empty() || sys::json_error(*json).empty(), "metadata are JSON", *json);
  v1::PluginMetadata sent;
  expect(sent.ParseFromString(metadata.SerializeAsString()), "metadata can be sent");
  expect(metadata.help_url().find("javascript:") != 0, "a link is no script", metadata.help_url());
}

// What was found valid once is valid: workers report it again and again.
void check_again(const std::string& valid, const char* what,
                 std::string (*rule)(std::string_view, std::vector<std::string>&)) {
  if (valid.empty()) return;
  std::vector<std::string> warnings;
  expect(rule(valid, warnings) == valid, what, valid);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parts = fuzz::parts_of(fuzz::text_of(data, size), '\0', 2);
  auto manifest = catalog::parse_manifest(parts[0], "sample");
  if (manifest.object) {
    v1::PluginMetadata metadata;
    std::vector<std::string> warnings;
    catalog::metadata_from_json(*manifest.object, metadata, warnings);
    for (const auto& warning : warnings)
      expect(catalog::is_utf8(warning), "a warning is UTF-8", warning);
    check_metadata(metadata);
    check_again(metadata.fields_json(), "valid fields stay", catalog::valid_fields);
    check_again(metadata.actions_json(), "valid actions stay", catalog::valid_actions);
    catalog::settings_warnings(parts[1], metadata.fields_json());
  }
  std::vector<std::string> warnings;
  const auto fields = catalog::valid_fields(parts[0], warnings);
  expect(sys::json_error(fields).empty(), "fields are JSON", fields);
  expect(sys::json_error(catalog::valid_actions(parts[0], warnings)).empty(), "actions are JSON");
  catalog::settings_warnings(parts[1], parts[0]);
  catalog::CatalogEntry entry;
  catalog::take_answer(parts[0], entry);
  check_metadata(entry.metadata);
  const auto key = catalog::key_of_folder(parts[0]);
  // Folders whose names are not text are refused.
  expect(catalog::is_utf8(key) == catalog::is_utf8(parts[0]), "a key is text", key);
  return 0;
}
