// Brings the schema of a database up to the numbered SQL files of a directory.
// Called once by the store, before anything else, on the caller's thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "supervisor/store/connection_string.h"
#include "supervisor/sys/failure.h"

namespace supervisor::store {

struct MigrationFile {
  int version = 0;   // 1, 2, 3, ... without a gap.
  std::string name;  // "0001_plugin_tables.sql"
  std::string sql;
};

/// The migrations in `directory`, in order. MIGRATION_FAILED when it cannot be
/// read, a file is misnamed, or a number is missing or taken twice.
Outcome<std::vector<MigrationFile>> read_migrations(const std::filesystem::path& directory);

/// Applies those that the database lacks, each in its own transaction, while
/// holding an advisory lock, so that of two supervisors started at once one
/// waits and then finds nothing to do. Refuses with MIGRATION_FAILED, without
/// changing anything, when an applied one was changed or is missing.
Outcome<void> apply_migrations(const ConnectionString& connection,
                               const std::filesystem::path& directory);

}  // namespace supervisor::store
