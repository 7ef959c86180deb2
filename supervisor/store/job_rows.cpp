#include "supervisor/store/job_rows.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cctype>

#include "supervisor/store/prepared_statement.h"

namespace supervisor::store {
namespace {

// PostgreSQL's text form of an array, one element at a time.
class ArrayText {
 public:
  explicit ArrayText(std::size_t count) { text_.reserve(count * 24 + 2); }

  void add(std::int64_t number) {
    begin();
    text_ += std::to_string(number);
  }
  void add_real(double number) {
    begin();
    text_ += number == 0 ? "0" : std::to_string(number);
  }
  void add(const std::string& element) {
    begin();
    text_ += '"';
    for (const char c : element) {
      if (c == '"' || c == '\\') text_ += '\\';
      text_ += c;
    }
    text_ += '"';
  }
  void add_null() {
    begin();
    text_ += "NULL";
  }
  std::string finish() && { return std::move(text_) + "}"; }

 private:
  void begin() { text_ += text_.empty() ? '{' : ','; }
  std::string text_;
};

std::string kind_word(v1::JobKind kind) {
  return lower_without_prefix(v1::JobKind_Name(kind), "JOB_KIND_");
}

std::string state_word(v1::JobState state) {
  return lower_without_prefix(v1::JobState_Name(state), "JOB_STATE_");
}

std::string enum_name(const std::string& prefix, std::string word) {
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return prefix + word;
}

// With the columns that job_of() reads, in its order.
constexpr const char* selection = R"(
  SELECT id, plugin_key, action, kind, state, requested_by, generation,
         round(extract(epoch FROM created_at) * 1000)::bigint,
         coalesce(round(extract(epoch FROM started_at) * 1000)::bigint, 0),
         coalesce(round(extract(epoch FROM ended_at) * 1000)::bigint, 0),
         duration_us, fraction, message, coalesce(failure::text, ''), )";

v1::Job job_of(const pqxx::row& row) {
  v1::Job job;
  job.set_id(row[0].as<std::string>());
  job.set_plugin(row[1].as<std::string>());
  job.set_action(row[2].as<std::string>());
  v1::JobKind kind = v1::JOB_KIND_UNSPECIFIED;
  v1::JobKind_Parse(enum_name("JOB_KIND_", row[3].as<std::string>()), &kind);
  job.set_kind(kind);
  v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
  v1::JobState_Parse(enum_name("JOB_STATE_", row[4].as<std::string>()), &state);
  job.set_state(state);
  job.set_requested_by(row[5].as<std::string>());
  job.set_generation(row[6].as<std::uint64_t>());
  job.set_created_unix_ms(row[7].as<std::int64_t>());
  job.set_started_unix_ms(row[8].as<std::int64_t>());
  job.set_ended_unix_ms(row[9].as<std::int64_t>());
  job.set_duration_us(row[10].as<std::uint32_t>());
  job.set_fraction(row[11].as<double>());
  job.set_message(row[12].as<std::string>());
  const auto failure = row[13].as<std::string>();
  // A failure of a later version may have what this one does not know.
  google::protobuf::util::JsonParseOptions lenient;
  lenient.ignore_unknown_fields = true;
  if (!failure.empty() &&
      !google::protobuf::util::JsonStringToMessage(failure, job.mutable_failure(), lenient).ok())
    job.mutable_failure()->set_message(failure);
  job.set_result_json(row[14].as<std::string>());
  return job;
}

}  // namespace

void upsert_jobs(pqxx::transaction_base& transaction,
                 const std::vector<std::shared_ptr<const v1::Job>>& jobs) {
  const auto count = jobs.size();
  ArrayText ids(count);
  ArrayText plugins(count);
  ArrayText actions(count);
  ArrayText kinds(count);
  ArrayText states(count);
  ArrayText callers(count);
  ArrayText generations(count);
  ArrayText created(count);
  ArrayText started(count);
  ArrayText ended(count);
  ArrayText durations(count);
  ArrayText fractions(count);
  ArrayText messages(count);
  ArrayText reasons(count);
  ArrayText failures(count);
  ArrayText results(count);
  for (const auto& job : jobs) {
    ids.add(job->id());
    plugins.add(job->plugin());
    actions.add(job->action());
    kinds.add(kind_word(job->kind()));
    states.add(state_word(job->state()));
    callers.add(job->requested_by());
    generations.add(static_cast<std::int64_t>(job->generation()));
    created.add(job->created_unix_ms());
    started.add(job->started_unix_ms());
    ended.add(job->ended_unix_ms());
    durations.add(std::int64_t{job->duration_us()});
    fractions.add_real(job->fraction());
    messages.add(job->message());
    std::string failure;
    // What cannot be told as JSON keeps its reason.
    if (job->has_failure() &&
        google::protobuf::util::MessageToJsonString(job->failure(), &failure).ok() &&
        !failure.empty()) {
      failures.add(failure);
    } else {
      failures.add_null();
    }
    reasons.add(job->has_failure() ? reason_code(job->failure().reason()) : std::string());
    if (job->result_json().empty()) {
      results.add_null();
    } else {
      results.add(job->result_json());
    }
  }
  exec_prepared(transaction,
                R"(INSERT INTO supervisor_jobs AS old
           (id, plugin_key, action, kind, state, requested_by, generation,
            created_at, started_at, ended_at,
            duration_us, fraction, message, reason, failure, result)
         SELECT id, plugin_key, action, kind, state, requested_by, generation,
                to_timestamp(created_ms / 1e3::float8),
                CASE WHEN started_ms > 0 THEN to_timestamp(started_ms / 1e3::float8) END,
                CASE WHEN ended_ms > 0 THEN to_timestamp(ended_ms / 1e3::float8) END,
                duration_us, fraction, message, reason, failure, result
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
                     $12::float8[], $13::text[], $14::text[], $15::jsonb[], $16::text[])
              AS new (id, plugin_key, action, kind, state, requested_by, generation, created_ms,
                      started_ms, ended_ms, duration_us, fraction, message, reason, failure, result)
         ON CONFLICT (id) DO UPDATE SET
           state = excluded.state, generation = excluded.generation,
           started_at = excluded.started_at, ended_at = excluded.ended_at,
           duration_us = excluded.duration_us, fraction = excluded.fraction,
           message = excluded.message, reason = excluded.reason, failure = excluded.failure,
           result = excluded.result
         WHERE old.ended_at IS NULL AND old.plugin_key = excluded.plugin_key)",
                std::move(ids).finish(), std::move(plugins).finish(), std::move(actions).finish(),
                std::move(kinds).finish(), std::move(states).finish(), std::move(callers).finish(),
                std::move(generations).finish(), std::move(created).finish(),
                std::move(started).finish(), std::move(ended).finish(),
                std::move(durations).finish(), std::move(fractions).finish(),
                std::move(messages).finish(), std::move(reasons).finish(),
                std::move(failures).finish(), std::move(results).finish());
}

std::optional<v1::Job> select_job(pqxx::transaction_base& transaction, const std::string& id) {
  const auto rows = exec_prepared(
      transaction,
      std::string(selection) + "coalesce(result, '') FROM supervisor_jobs WHERE id = $1", id);
  if (rows.empty()) return std::nullopt;
  return job_of(rows.front());
}

std::vector<v1::Job> select_jobs(pqxx::work& transaction, const JobFilter& filter) {
  std::string sql = std::string(selection) + "'' FROM supervisor_jobs WHERE true";
  if (!filter.plugin.empty()) sql += " AND plugin_key = " + transaction.quote(filter.plugin);
  if (filter.unfinished) sql += " AND ended_at IS NULL";
  if (filter.before_unix_ms > 0)
    sql += " AND created_at < to_timestamp(" + std::to_string(filter.before_unix_ms) + " / 1e3)";
  sql += " ORDER BY created_at DESC, id DESC";
  if (filter.limit > 0) sql += " LIMIT " + std::to_string(filter.limit);
  const auto rows = transaction.exec(sql);
  std::vector<v1::Job> jobs;
  jobs.reserve(static_cast<std::size_t>(rows.size()));
  for (const auto& row : rows) jobs.push_back(job_of(row));
  return jobs;
}

std::size_t delete_old_jobs(pqxx::work& transaction, const JobRetention& retention) {
  // Before when those of one class were made that are too many; nothing when
  // they are not.
  const auto nth = [](const std::string& of_kind, std::uint32_t keep) {
    return "(SELECT created_at FROM supervisor_jobs WHERE " + of_kind +
           " ORDER BY created_at DESC OFFSET " + std::to_string(keep) + " LIMIT 1)";
  };
  std::string old = "false";
  if (retention.days > 0)
    old += " OR created_at < now() - interval '" + std::to_string(retention.days) + " days'";
  if (retention.runs > 0)
    old += " OR (kind = 'run' AND created_at <= " + nth("kind = 'run'", retention.runs) + ")";
  if (retention.others > 0)
    old += " OR (kind <> 'run' AND created_at <= " + nth("kind <> 'run'", retention.others) + ")";
  const auto removed = transaction.exec0(
      "DELETE FROM supervisor_jobs WHERE id IN (SELECT id FROM supervisor_jobs "
      "WHERE ended_at IS NOT NULL AND (" +
      old + ") ORDER BY created_at LIMIT " + std::to_string(max_swept) + ")");
  return static_cast<std::size_t>(removed.affected_rows());
}

}  // namespace supervisor::store
