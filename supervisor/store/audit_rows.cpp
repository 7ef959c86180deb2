#include "supervisor/store/audit_rows.h"

#include <ctime>

#include <array>
#include <boost/json.hpp>
#include <pqxx/stream_to>
#include <tuple>

#include "supervisor/store/prepared_statement.h"

namespace supervisor::store {
namespace {

std::string insert_statement(int parameter, const std::string& condition) {
  return R"(INSERT INTO supervisor_audit
         (id, at, actor, on_behalf_of, origin, client, request_id, plugin_key, action, details,
          reason)
       SELECT id, to_timestamp(time_us / 1e6::float8), actor, on_behalf_of, origin, client,
              request_id, plugin_key, action, details, reason
         FROM json_to_recordset($)" +
         std::to_string(parameter) + R"(::json)
              AS new (id bigint, time_us bigint, actor text, on_behalf_of text, origin text,
                      client text, request_id text, plugin_key text, action text, details jsonb,
                      reason text)
        WHERE )" +
         condition + " ON CONFLICT (id) DO NOTHING";
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out.append(",\"").append(name).append("\":");
  out += boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

void append_entry(std::string& out, const v1::AuditEntry& entry) {
  out += R"({"id":)" + std::to_string(entry.id()) + R"(,"time_us":)" +
         std::to_string(entry.time_unix_us());
  append_member(out, "actor", entry.caller().actor());
  append_member(out, "on_behalf_of", entry.caller().on_behalf_of());
  append_member(out, "origin", entry.caller().origin());
  append_member(out, "client", entry.caller().client());
  append_member(out, "request_id", entry.caller().request_id());
  append_member(out, "plugin_key", entry.plugin());
  append_member(out, "action", entry.action());
  append_member(out, "reason", entry.reason());
  out.append(R"(,"details":)").append(entry.details_json().empty() ? "{}" : entry.details_json());
  out += '}';
}

// As PostgreSQL reads it: "2026-03-01 12:00:00.000250+00".
std::string time_text(std::int64_t unix_us) {
  constexpr std::int64_t second = 1'000'000;
  const auto seconds = static_cast<std::time_t>(unix_us / second);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return std::string(text.data(), size) + "." +
         std::to_string(second + unix_us % second).substr(1) + "+00";
}

// Half as dear to the database as an INSERT of as many; but of a row that is
// there already it makes an error.
void copy_audit(pqxx::transaction_base& transaction, const std::vector<AuditNote>& entries) {
  static const std::vector<std::string> columns = {
      "id",         "at",         "actor",  "on_behalf_of", "origin", "client",
      "request_id", "plugin_key", "action", "details",      "reason"};
  pqxx::stream_to rows(transaction, "supervisor_audit", columns);
  for (const auto& entry : entries) {
    const auto& caller = entry->caller();
    rows << std::make_tuple(
        entry->id(), time_text(entry->time_unix_us()), caller.actor(), caller.on_behalf_of(),
        caller.origin(), caller.client(), caller.request_id(), entry->plugin(), entry->action(),
        entry->details_json().empty() ? std::string("{}") : entry->details_json(), entry->reason());
  }
  rows.complete();
}

v1::AuditEntry entry_of(const pqxx::row& row) {
  v1::AuditEntry entry;
  entry.set_id(row[0].as<std::int64_t>());
  entry.set_time_unix_us(row[1].as<std::int64_t>());
  auto& caller = *entry.mutable_caller();
  caller.set_actor(row[2].as<std::string>());
  caller.set_on_behalf_of(row[3].as<std::string>());
  caller.set_origin(row[4].as<std::string>());
  caller.set_client(row[5].as<std::string>());
  caller.set_request_id(row[6].as<std::string>());
  entry.set_plugin(row[7].as<std::string>());
  entry.set_action(row[8].as<std::string>());
  entry.set_details_json(row[9].as<std::string>());
  entry.set_reason(row[10].as<std::string>());
  return entry;
}

}  // namespace

std::string audit_clause(const std::string& of, int parameter) {
  return ", audited AS (" + insert_statement(parameter, "EXISTS (SELECT FROM " + of + ")") + ")";
}

std::string audit_json(const std::vector<AuditNote>& entries) {
  std::string json;
  json.reserve(entries.size() * 320 + 2);
  for (const auto& entry : entries) {
    json += json.empty() ? '[' : ',';
    append_entry(json, *entry);
  }
  return json.empty() ? "[]" : json + "]";
}

void insert_audit(pqxx::transaction_base& transaction, const std::vector<AuditNote>& entries) {
  try {
    copy_audit(transaction, entries);
  } catch (const pqxx::unique_violation&) {
    exec_prepared(transaction, insert_statement(1, "true"), audit_json(entries));
  }
}

std::vector<v1::AuditEntry> select_audit(pqxx::work& transaction, const AuditFilter& filter) {
  // With the values in its text: so the planner sees which index is of use.
  std::string sql = R"(
    SELECT id, (extract(epoch FROM at) * 1000000)::bigint, actor, on_behalf_of, origin, client,
           request_id, plugin_key, action, details::text, reason
      FROM supervisor_audit WHERE true)";
  if (!filter.plugin.empty()) sql += " AND plugin_key = " + transaction.quote(filter.plugin);
  if (!filter.action.empty()) sql += " AND action = " + transaction.quote(filter.action);
  if (!filter.actor.empty()) {
    const auto actor = transaction.quote(filter.actor);
    sql += " AND (actor = " + actor + " OR on_behalf_of = " + actor + ")";
  }
  if (filter.since_unix_ms > 0)
    sql += " AND at >= to_timestamp(" + std::to_string(filter.since_unix_ms) + " / 1e3)";
  if (filter.before_id > 0) sql += " AND id < " + std::to_string(filter.before_id);
  sql += " ORDER BY id DESC";
  if (filter.limit > 0) sql += " LIMIT " + std::to_string(filter.limit);
  const auto rows = transaction.exec(sql);
  std::vector<v1::AuditEntry> entries;
  entries.reserve(static_cast<std::size_t>(rows.size()));
  for (const auto& row : rows) entries.push_back(entry_of(row));
  return entries;
}

std::int64_t select_last_audit_id(pqxx::transaction_base& transaction) {
  return transaction.exec1("SELECT coalesce(max(id), 0) FROM supervisor_audit")[0]
      .as<std::int64_t>();
}

}  // namespace supervisor::store
