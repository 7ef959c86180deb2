// JSON that passes through: the check of it, what is cut out of it, and the
// document that metadata are read into. One text, and the name of a member
// before it, up to a line end.
#include <boost/json.hpp>

#include "api_gateway/json_text.h"
#include "supervisor/catalog/json_document.h"
#include "supervisor/catalog/utf8.h"
#include "supervisor/host/host_request.h"
#include "supervisor/sys/json_slice.h"
#include "supervisor/sys/plugin_options.h"
#include "tests/fuzz/expect.h"

namespace {

using namespace supervisor;
using fuzz::expect;

void check_member(std::string_view json, std::string_view name) {
  const auto member = sys::json_member(json, name);
  if (!member) return;
  expect(sys::is_json_object(json), "only an object has members", std::string(json));
  expect(!member->empty() && sys::json_error(*member).empty(), "a member is JSON",
         std::string(*member));
}

void check_document(std::string_view json) {
  const auto document = catalog::parse_document(json);
  if (!document.value) return;
  expect(sys::json_error(json).empty(), "what is parsed is JSON");
  const auto written = catalog::write_document(*document.value);
  expect(sys::json_error(written).empty(), "what is written is JSON", written);
  const auto again = catalog::parse_document(written);
  expect(again.value == document.value, "what is written reads back the same", written);
}

void check_host_request(std::string_view json) {
  using What = store::PluginDataRequest::What;
  if (host::check_params(json, 65536).has_error()) return;
  for (const auto what : {What::list, What::replace, What::insert, What::update, What::remove}) {
    const auto request = host::data_request(what, "sample", json);
    if (request.has_error()) continue;
    expect(request->plugin == "sample", "nobody else's data are asked for");
    expect(request->json.empty() || sys::json_error(request->json).empty(), "data are JSON",
           request->json);
    expect(catalog::is_utf8(request->collection), "a collection's name is UTF-8");
  }
}

void check_options(std::string_view json) {
  const auto options = sys::with_changes({}, json);
  if (options.has_error()) {
    expect(catalog::is_utf8(options.error().message()), "a mistake can be told",
           options.error().message());
    return;
  }
  if (sys::options_failure(*options)) return;
  const auto written = sys::plugin_options_json(*options);
  const auto again = sys::with_changes({}, written);
  expect(again.has_value() && sys::plugin_options_json(*again) == written,
         "options read back the same", written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parts = fuzz::parts_of(fuzz::text_of(data, size), '\n', 2);
  const auto json = parts[1];
  std::string quoted;
  gateway::append_json_string(quoted, catalog::is_utf8(json) ? json : "");
  expect(sys::json_error(quoted).empty(), "a quoted text is JSON", quoted);
  check_document(json);
  if (!sys::json_error(json).empty()) return 0;
  check_member(json, parts[0]);
  check_host_request(json);
  check_options(json);
  return 0;
}
