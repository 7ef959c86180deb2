#include "supervisor/host/host_calls.h"

#include <boost/json.hpp>

#include "supervisor/host/host_request.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::host {

namespace asio = boost::asio;

namespace {

using What = store::PluginDataRequest::What;

constexpr std::size_t max_update_name = 200;

std::string row_json(const store::PluginConfigRow& row, bool with_settings) {
  boost::json::object object{{"id", row.id},
                             {"key", row.key},
                             {"name", row.name},
                             {"version", row.version},
                             {"description", row.description},
                             {"enabled", row.enabled},
                             {"ever_enabled", row.ever_enabled}};
  auto json = boost::json::serialize(object);
  if (!with_settings) return json;
  json.pop_back();
  return json + R"(,"settings":)" + row.settings_json + "}";
}

}  // namespace

asio::awaitable<Outcome<std::string>> HostCalls::answer(std::string plugin, v1::HostMethod method,
                                                        std::string params) {
  std::optional<What> what;
  switch (method) {
    case v1::HOST_METHOD_GET_CONFIG: {
      auto getting = get_config(std::move(plugin), std::move(params));
      co_return co_await std::move(getting);
    }
    case v1::HOST_METHOD_SAVE_CONFIG: {
      auto saving = save_config(std::move(plugin), std::move(params));
      co_return co_await std::move(saving);
    }
    case v1::HOST_METHOD_LIST_CONFIGS: {
      auto listing = list_configs();
      co_return co_await std::move(listing);
    }
    case v1::HOST_METHOD_SEND_UPDATE:
      co_return send_update(plugin, params);
    case v1::HOST_METHOD_DATA_LIST:
      what = What::list;
      break;
    case v1::HOST_METHOD_DATA_SET:
      what = What::replace;
      break;
    case v1::HOST_METHOD_DATA_ADD:
      what = What::insert;
      break;
    case v1::HOST_METHOD_DATA_UPDATE:
      what = What::update;
      break;
    case v1::HOST_METHOD_DATA_REMOVE:
      what = What::remove;
      break;
    case v1::HOST_METHOD_DATA_CLEAR:
      what = What::clear;
      break;
    default:
      break;
  }
  if (!what)
    co_return make_failure(v1::REASON_NOT_SUPPORTED, "host call",
                           "There is no host method " + std::to_string(method) + ".",
                           "The worker and the supervisor may be of different versions.", plugin);
  auto request = data_request(*what, plugin, params);
  if (request.has_error()) co_return request.error();
  auto asking = store_.plugin_data(std::move(request.value()));
  co_return co_await std::move(asking);
}

asio::awaitable<Outcome<std::string>> HostCalls::get_config(std::string plugin,
                                                            std::string params) {
  auto key = text_member(params, "key");
  if (key.has_error()) co_return key.error();
  auto reading = store_.config(key.value());
  auto row = co_await std::move(reading);
  if (row.has_error()) co_return row.error();
  if (!row.value()) co_return std::string("null");
  co_return row_json(*row.value(), key.value() == plugin);
}

asio::awaitable<Outcome<std::string>> HostCalls::save_config(std::string plugin,
                                                             std::string params) {
  auto settings = object_member(params, "settings");
  if (settings.has_error()) co_return settings.error();
  auto storing = store_.set_settings(plugin, std::move(settings.value()));
  auto row = co_await std::move(storing);
  if (row.has_error()) co_return row.error();
  if (!row.value())
    co_return make_failure(v1::REASON_PLUGIN_NOT_FOUND, "host call",
                           "Plugin '" + plugin + "' has no row in the database.", {}, plugin);
  auto json = row_json(*row.value(), true);
  if (on_row) on_row(std::move(*row.value()));
  co_return json;
}

asio::awaitable<Outcome<std::string>> HostCalls::list_configs() {
  auto reading = store_.all_configs();
  auto rows = co_await std::move(reading);
  if (rows.has_error()) co_return rows.error();
  std::string json = "[";
  for (const auto& row : rows.value()) {
    if (json.size() > 1) json += ',';
    json += row_json(row, false);
  }
  co_return json + "]";
}

Outcome<std::string> HostCalls::send_update(const std::string& plugin, const std::string& params) {
  const auto group = text_member(params, "group");
  if (group.has_error()) return group.error();
  const auto type = text_member(params, "type");
  if (type.has_error()) return type.error();
  const auto data = sys::json_member(params, "data");
  v1::WatchEvent event;
  auto& update = *event.mutable_host_update();
  update.set_plugin(plugin);
  update.set_group(logs::printable_text(group.value(), max_update_name));
  update.set_type(logs::printable_text(type.value(), max_update_name));
  update.set_data_json(data ? std::string(*data) : "null");
  bus_.publish(std::move(event));
  return std::string("null");
}

}  // namespace supervisor::host
