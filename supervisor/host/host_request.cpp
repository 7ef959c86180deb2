#include "supervisor/host/host_request.h"

#include <boost/json.hpp>

#include "supervisor/catalog/utf8.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::host {
namespace {

using What = store::PluginDataRequest::What;

Failure wrong(const std::string& message) {
  return make_failure(v1::REASON_INVALID_REQUEST, "host call", message);
}

std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

}  // namespace

Outcome<void> check_params(std::string_view params, std::size_t max_bytes) {
  if (params.size() > max_bytes)
    return make_failure(v1::REASON_REQUEST_TOO_LARGE, "host call",
                        "The parameters have " + std::to_string(params.size()) +
                            " bytes; the limit is " + std::to_string(max_bytes) + ".",
                        "Store large data in files, or in parts.");
  if (const auto error = sys::json_error(params); !error.empty())
    return wrong("The parameters are not JSON: " + error + ".");
  if (!sys::is_json_object(params)) return wrong("The parameters are not a JSON object.");
  return {};
}

Outcome<std::string> text_member(std::string_view params, std::string_view name) {
  const auto member = sys::json_member(params, name);
  if (!member || member->front() != '"') return wrong(quoted(name) + " must be given, as text.");
  const auto value = boost::json::parse(boost::json::string_view(member->data(), member->size()));
  std::string text(value.as_string().data(), value.as_string().size());
  if (text.find('\0') != std::string::npos || !catalog::is_utf8(text))
    return wrong(quoted(name) + " holds characters that cannot be stored.");
  return text;
}

Outcome<std::string> object_member(std::string_view params, std::string_view name) {
  const auto member = sys::json_member(params, name);
  if (!member || member->front() != '{')
    return wrong(quoted(name) + " must be given, as a JSON object.");
  return std::string(*member);
}

Outcome<store::PluginDataRequest> data_request(What what, const std::string& plugin,
                                               std::string_view params) {
  if (sys::json_member(params, "plugin")) {
    const auto named = text_member(params, "plugin");
    if (named.has_error()) return named.error();
    if (named.value() != plugin)
      return make_failure(v1::REASON_PERMISSION_DENIED, "host call",
                          "Plugin '" + plugin + "' may not use the data of another plugin.",
                          "Use its own key, \"" + plugin + "\".", plugin);
  }
  store::PluginDataRequest request{.what = what, .plugin = plugin};
  auto collection = text_member(params, "collection");
  if (collection.has_error()) return collection.error();
  request.collection = std::move(collection.value());
  if (request.collection.empty() || catalog::utf8_length(request.collection) > max_name_characters)
    return wrong("The name of a collection has 1 to 128 characters.");
  if (what == What::update || what == What::remove) {
    const auto id = sys::json_member(params, "id");
    boost::json::error_code error;
    const auto value =
        id ? boost::json::parse(boost::json::string_view(id->data(), id->size()), error)
           : boost::json::value();
    if (error || !value.is_int64()) return wrong("\"id\" must be given, as an integer.");
    request.id = value.get_int64();
  }
  if (what == What::insert || what == What::update) {
    auto data = object_member(params, "data");
    if (data.has_error()) return data.error();
    request.json = std::move(data.value());
  } else if (what == What::replace) {
    const auto items = sys::json_member(params, "items");
    if (!items || items->front() != '[')
      return wrong("\"items\" must be given, as an array of JSON objects.");
    request.json = std::string(*items);
  }
  return request;
}

}  // namespace supervisor::host
