#include "supervisor/store/plugin_data_rows.h"

namespace supervisor::store {
namespace {

using What = PluginDataRequest::What;

// As Django writes times in JSON.
const std::string record_columns =
    "id, data::text,"
    " to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"'),"
    " to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')";
const std::string of_collection =
    " WHERE plugin_id = (SELECT id FROM plugins_pluginconfig WHERE key = $1) AND collection = $2";

std::string record_json(const pqxx::row& row) {
  std::string json = R"({"id":)";
  json += row[0].as<std::string>();
  json += R"(,"data":)";
  json += row[1].as<std::string>();
  json += R"(,"created_at":")";
  json += row[2].as<std::string>();
  json += R"(","updated_at":")";
  json += row[3].as<std::string>();
  return json + "\"}";
}

std::string records_json(const pqxx::result& rows) {
  std::string json = "[";
  for (const auto& row : rows) {
    if (json.size() > 1) json += ',';
    json += record_json(row);
  }
  return json + "]";
}

struct Extent {
  std::size_t records = 0;
  std::size_t bytes = 0;
};

// What a collection takes on disk is known without reading its values; what it
// takes as text is not.
Extent extent(pqxx::work& transaction, const PluginDataRequest& request, bool as_text) {
  const auto row = transaction.exec_params1(
      "SELECT count(*), coalesce(sum(" +
          std::string(as_text ? "octet_length(data::text)" : "pg_column_size(data)") +
          "), 0) FROM plugins_plugindata" + of_collection,
      request.plugin, request.collection);
  return {row[0].as<std::size_t>(), row[1].as<std::size_t>()};
}

bool is_too_large(const Extent& extent) {
  return extent.records > max_collection_records || extent.bytes > max_collection_bytes;
}

PluginDataAnswer refuse(v1::Reason reason, const PluginDataRequest& request, const Extent& extent) {
  return {{},
          make_failure(reason, "plugin data",
                       "Collection \"" + request.collection + "\" of plugin '" + request.plugin +
                           "' would have " + std::to_string(extent.records) + " records of " +
                           std::to_string(extent.bytes) + " bytes; the limits are " +
                           std::to_string(max_collection_records) + " and " +
                           std::to_string(max_collection_bytes) + ".",
                       "Remove old records, or keep large data in files.", request.plugin)};
}

// Locks the plugin's row: writers of one plugin's data come one after another,
// so that what they find full stays full. Empty when there is no row.
std::string plugin_id(pqxx::work& transaction, const PluginDataRequest& request) {
  const auto rows = transaction.exec_params(
      "SELECT id FROM plugins_pluginconfig WHERE key = $1 FOR NO KEY UPDATE", request.plugin);
  return rows.empty() ? std::string() : rows[0][0].as<std::string>();
}

std::string list(pqxx::work& transaction, const PluginDataRequest& request) {
  return records_json(transaction.exec_params(
      "SELECT " + record_columns + " FROM plugins_plugindata" + of_collection + " ORDER BY id",
      request.plugin, request.collection));
}

std::string replace(pqxx::work& transaction, const PluginDataRequest& request,
                    const std::string& id) {
  transaction.exec_params0("DELETE FROM plugins_plugindata" + of_collection, request.plugin,
                           request.collection);
  // In the order of the array, so that their ids are in it, too.
  return records_json(transaction.exec_params(
      "WITH added AS ("
      "  INSERT INTO plugins_plugindata (collection, data, created_at, updated_at, plugin_id)"
      "  SELECT $1, item, now(), now(), $2::bigint"
      "    FROM jsonb_array_elements($3::jsonb) WITH ORDINALITY AS given (item, place)"
      "   ORDER BY place RETURNING *)"
      " SELECT " +
          record_columns + " FROM added ORDER BY id",
      request.collection, id, request.json));
}

std::string insert(pqxx::work& transaction, const PluginDataRequest& request,
                   const std::string& id) {
  return record_json(transaction.exec_params1(
      "INSERT INTO plugins_plugindata (collection, data, created_at, updated_at, plugin_id)"
      " VALUES ($1, $2::jsonb, now(), now(), $3::bigint) RETURNING " +
          record_columns,
      request.collection, request.json, id));
}

std::string update(pqxx::work& transaction, const PluginDataRequest& request) {
  const auto rows =
      transaction.exec_params("UPDATE plugins_plugindata SET data = $3::jsonb, updated_at = now()" +
                                  of_collection + " AND id = $4 RETURNING " + record_columns,
                              request.plugin, request.collection, request.json, request.id);
  return rows.empty() ? "null" : record_json(rows[0]);
}

std::string remove(pqxx::work& transaction, const PluginDataRequest& request) {
  const auto gone =
      transaction.exec_params("DELETE FROM plugins_plugindata" + of_collection + " AND id = $3",
                              request.plugin, request.collection, request.id);
  return gone.affected_rows() > 0 ? "true" : "false";
}

std::string clear(pqxx::work& transaction, const PluginDataRequest& request) {
  const auto gone = transaction.exec_params("DELETE FROM plugins_plugindata" + of_collection,
                                            request.plugin, request.collection);
  return std::to_string(gone.affected_rows());
}

PluginDataAnswer write(pqxx::work& transaction, const PluginDataRequest& request) {
  const auto id = plugin_id(transaction, request);
  if (id.empty())
    return {{},
            make_failure(v1::REASON_PLUGIN_NOT_FOUND, "plugin data",
                         "Plugin '" + request.plugin + "' has no row in the database.", {},
                         request.plugin)};
  if (request.what == What::replace) {
    const auto wrong = transaction.exec_params1(
        "SELECT count(*), count(*) FILTER (WHERE jsonb_typeof(item) <> 'object')"
        "  FROM jsonb_array_elements($1::jsonb) AS item",
        request.json);
    if (wrong[1].as<std::size_t>() > 0)
      return {{},
              make_failure(v1::REASON_INVALID_REQUEST, "plugin data",
                           "Every item of a collection is a JSON object; " +
                               wrong[1].as<std::string>() + " are not.",
                           {}, request.plugin)};
    const Extent after{wrong[0].as<std::size_t>(), request.json.size()};
    if (is_too_large(after)) return refuse(v1::REASON_REQUEST_TOO_LARGE, request, after);
  } else {
    auto after = extent(transaction, request, false);
    after.records += request.what == What::insert ? 1 : 0;
    after.bytes += request.json.size();
    if (is_too_large(after)) return refuse(v1::REASON_REQUEST_TOO_LARGE, request, after);
  }
  switch (request.what) {
    case What::replace:
      return {replace(transaction, request, id), {}};
    case What::insert:
      return {insert(transaction, request, id), {}};
    default:
      return {update(transaction, request), {}};
  }
}

}  // namespace

PluginDataAnswer answer_plugin_data(pqxx::work& transaction, const PluginDataRequest& request) {
  switch (request.what) {
    case What::list: {
      // The host may have put more there than we would.
      const auto size = extent(transaction, request, true);
      if (is_too_large(size)) return refuse(v1::REASON_RESULT_TOO_LARGE, request, size);
      return {list(transaction, request), {}};
    }
    case What::remove:
      return {remove(transaction, request), {}};
    case What::clear:
      return {clear(transaction, request), {}};
    case What::replace:
    case What::insert:
    case What::update:
      break;
  }
  return write(transaction, request);
}

}  // namespace supervisor::store
