#include "supervisor/store/migrations.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <pqxx/pqxx>
#include <regex>

#include "supervisor/logs/structured_log.h"
#include "supervisor/store/database_connection.h"
#include "supervisor/store/database_failure.h"
#include "supervisor/sys/file.h"

namespace supervisor::store {
namespace {

constexpr auto step = "migrate";
constexpr std::size_t max_file_bytes = std::size_t{4} << 20;
constexpr int oldest_server = 120000;
// "plugins" in ASCII: any number that others are unlikely to lock.
constexpr std::int64_t lock_key = 0x706c7567696e73;

Failure refuse(std::string message, std::string hint = {}) {
  return make_failure(v1::REASON_MIGRATION_FAILED, step, std::move(message), std::move(hint));
}

std::string checksum(pqxx::connection& connection, const std::string& content) {
  pqxx::work transaction(connection);
  return transaction
      .exec_params1("SELECT encode(sha256($1::bytea), 'hex')", pqxx::binarystring(content))[0]
      .as<std::string>();
}

struct Applied {
  std::string name;
  std::string checksum;
  std::string when;
};

std::map<int, Applied> applied_migrations(pqxx::connection& connection) {
  pqxx::work transaction(connection);
  transaction.exec0(
      "CREATE TABLE IF NOT EXISTS supervisor_schema_migration ("
      " version integer PRIMARY KEY,"
      " name text NOT NULL,"
      " checksum text NOT NULL,"
      " applied_at timestamp with time zone NOT NULL,"
      " duration_ms bigint NOT NULL)");
  std::map<int, Applied> applied;
  for (const auto& row :
       transaction.exec("SELECT version, name, checksum, to_char(applied_at, 'YYYY-MM-DD HH24:MI')"
                        " FROM supervisor_schema_migration ORDER BY version")) {
    applied[row[0].as<int>()] = {row[1].as<std::string>(), row[2].as<std::string>(),
                                 row[3].as<std::string>()};
  }
  transaction.commit();
  return applied;
}

// What was applied must be the beginning of what the directory holds.
std::optional<Failure> difference(const std::map<int, Applied>& applied,
                                  const std::vector<MigrationFile>& files,
                                  const std::vector<std::string>& checksums,
                                  const std::filesystem::path& directory) {
  int expected = 1;
  for (const auto& [version, migration] : applied) {
    const auto index = static_cast<std::size_t>(version) - 1;
    if (version != expected++) {
      return refuse(
          "The database's list of applied migrations (supervisor_schema_migration) "
          "lacks number " +
              std::to_string(expected - 1) + " before " + migration.name + ".",
          "Restore the database from a backup; the list is not to be edited.");
    }
    if (index >= files.size() || files[index].name != migration.name) {
      return refuse("Migration " + migration.name + " was applied to this database on " +
                        migration.when + ", but is missing in " + directory.string() + ".",
                    "Run the version of the supervisor that applied it, or a newer one, or "
                    "restore a backup of the database.");
    }
    if (checksums[index] != migration.checksum) {
      return refuse("Migration " + migration.name +
                        " was changed after it was applied to this "
                        "database on " +
                        migration.when + ": its SHA-256 was " + migration.checksum +
                        " and now is " + checksums[index] + ".",
                    "Restore the file as it was; a change of the schema belongs in a new "
                    "migration.");
    }
  }
  return std::nullopt;
}

void apply(pqxx::connection& connection, const MigrationFile& file, const std::string& sum) {
  const auto begun = std::chrono::steady_clock::now();
  pqxx::work transaction(connection);
  transaction.exec(file.sql);
  const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begun);
  transaction.exec_params0(
      "INSERT INTO supervisor_schema_migration (version, name, checksum, applied_at, duration_ms)"
      " VALUES ($1, $2, $3, now(), $4)",
      file.version, file.name, sum, static_cast<std::int64_t>(duration.count()));
  transaction.commit();
  logs::log_event(spdlog::level::info, "migration.applied",
                  {{"file", file.name}, {"ms", duration.count()}});
}

Outcome<void> bring_up_to_date(const ConnectionString& connection_string,
                               pqxx::connection& connection,
                               const std::vector<MigrationFile>& files,
                               const std::filesystem::path& directory) {
  if (connection.server_version() < oldest_server) {
    return refuse("The database server is too old: PostgreSQL 12 or newer is needed.");
  }
  {
    pqxx::nontransaction session(connection);
    session.exec0("SET statement_timeout = '10min'");
    session.exec0("SET lock_timeout = '60s'");
    // Held by the session: it ends with the connection, however that ends.
    session.exec_params1("SELECT pg_advisory_lock($1)", lock_key);
  }
  const auto applied = applied_migrations(connection);
  std::vector<std::string> checksums;
  checksums.reserve(files.size());
  for (const auto& file : files) checksums.push_back(checksum(connection, file.sql));
  if (auto failure = difference(applied, files, checksums, directory)) return *failure;
  for (std::size_t index = applied.size(); index < files.size(); ++index) {
    try {
      apply(connection, files[index], checksums[index]);
    } catch (const pqxx::sql_error& error) {
      return refuse("Migration " + files[index].name +
                    " failed and was rolled back: " + connection_string.redact(error.what()));
    }
  }
  if (files.empty()) return refuse("There is no migration in " + directory.string() + ".");
  pqxx::work transaction(connection);
  transaction.exec("SELECT supervisor_attach_notifications()");
  transaction.commit();
  return {};
}

}  // namespace

Outcome<std::vector<MigrationFile>> read_migrations(const std::filesystem::path& directory) {
  static const std::regex pattern("([0-9]{4})_[a-z0-9_]+\\.sql");
  std::vector<MigrationFile> files;
  try {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() != ".sql") continue;
      std::smatch match;
      if (!std::regex_match(name, match, pattern)) {
        return refuse("The migration " + name + " in " + directory.string() + " is misnamed.",
                      "A migration is called like 0007_what_it_does.sql.");
      }
      files.push_back({std::stoi(match[1]), name, sys::read_file(entry.path(), max_file_bytes)});
      if (files.back().sql.find('\0') != std::string::npos) {
        return refuse("The migration " + name + " holds a NUL.");
      }
    }
  } catch (const std::exception& error) {
    return refuse("The migrations in " + directory.string() + " cannot be read: " + error.what());
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (std::size_t index = 0; index < files.size(); ++index) {
    const int expected = static_cast<int>(index) + 1;
    if (files[index].version < expected) {
      return refuse("Two migrations in " + directory.string() +
                        " have one number: " + (index > 0 ? files[index - 1].name + " and " : "") +
                        files[index].name + ".",
                    "Numbers start at 0001; give the newer one the next free number.");
    }
    if (files[index].version > expected) {
      return refuse("Migration number " + std::to_string(expected) + " is missing in " +
                        directory.string() + " before " + files[index].name + ".",
                    "Restore the missing file; the installation is incomplete.");
    }
  }
  return files;
}

Outcome<void> apply_migrations(const ConnectionString& connection_string,
                               const std::filesystem::path& directory) {
  const auto files = read_migrations(directory);
  if (files.has_error()) return files.error();
  try {
    DatabaseConnection connection(connection_string);
    return bring_up_to_date(connection_string, connection.get(), files.value(), directory);
  } catch (const pqxx::sql_error& error) {
    auto failure = describe(connection_string, step, error);
    // Anything refused here keeps the schema from being what it must be.
    return refuse(failure.message(), failure.hint());
  } catch (const std::exception& error) {
    return describe(connection_string, step, error);
  }
}

}  // namespace supervisor::store
