#include "supervisor/store/crash_ledger_rows.h"

#include <sstream>

#include "supervisor/store/prepared_statement.h"

namespace supervisor::store {
namespace {

// PostgreSQL's text form of an array of numbers.
std::string array_text(const std::vector<std::int64_t>& numbers) {
  std::string text = "{";
  for (const auto number : numbers) {
    if (text.size() > 1) text += ',';
    text += std::to_string(number);
  }
  return text + "}";
}

std::vector<std::int64_t> numbers_of(const std::string& text) {
  std::vector<std::int64_t> numbers;
  std::istringstream words(text);
  for (std::int64_t number = 0; words >> number;) numbers.push_back(number);
  return numbers;
}

}  // namespace

std::vector<CrashLedgerRow> select_ledgers(pqxx::work& transaction) {
  const auto result = transaction.exec(R"(
    SELECT plugin_key, generation, crashes_in_a_row,
           (SELECT coalesce(string_agg((extract(epoch FROM at) * 1000)::bigint::text, ' '
                                       ORDER BY at), '') FROM unnest(recent_crashes) at),
           coalesce((extract(epoch FROM quarantined_at) * 1000)::bigint, 0),
           coalesce((extract(epoch FROM next_start_at) * 1000)::bigint, 0),
           coalesce(last_crash::text, '')
    FROM supervisor_crash_ledger)");
  std::vector<CrashLedgerRow> rows;
  rows.reserve(static_cast<std::size_t>(result.size()));
  for (const auto& row : result)
    rows.push_back({row[0].as<std::string>(), row[1].as<std::uint64_t>(),
                    row[2].as<std::uint32_t>(), numbers_of(row[3].as<std::string>()),
                    row[4].as<std::int64_t>(), row[5].as<std::int64_t>(),
                    row[6].as<std::string>()});
  return rows;
}

void upsert_ledger(pqxx::transaction_base& transaction, const CrashLedgerRow& row) {
  exec_prepared(transaction,
                R"(INSERT INTO supervisor_crash_ledger
           (plugin_key, generation, crashes_in_a_row, recent_crashes, quarantined_at,
            next_start_at, last_crash, updated_at)
         VALUES ($1, $2, $3,
                 ARRAY(SELECT to_timestamp(ms / 1000.0) FROM unnest($4::bigint[]) ms),
                 CASE WHEN $5::bigint = 0 THEN NULL ELSE to_timestamp($5::bigint / 1000.0) END,
                 CASE WHEN $6::bigint = 0 THEN NULL ELSE to_timestamp($6::bigint / 1000.0) END,
                 nullif($7, '')::jsonb, now())
         ON CONFLICT (plugin_key) DO UPDATE SET
           generation = greatest(supervisor_crash_ledger.generation, excluded.generation),
           crashes_in_a_row = excluded.crashes_in_a_row,
           recent_crashes = excluded.recent_crashes,
           quarantined_at = excluded.quarantined_at,
           next_start_at = excluded.next_start_at,
           last_crash = excluded.last_crash,
           updated_at = now())",
                row.key, row.generation, row.crashes_in_a_row, array_text(row.recent_crashes),
                row.quarantined_at, row.next_start, row.last_crash_json);
}

}  // namespace supervisor::store
