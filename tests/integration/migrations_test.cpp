// The schema of a database is what the migration files say, or the start is
// refused.
#include <catch2/catch.hpp>
#include <thread>

#include "tests/integration/host_tables.h"
#include "tests/integration/store_fixture.h"

using namespace store_test;
using Catch::Matchers::Contains;

namespace {

supervisor::Outcome<void> migrate(const StoreFixture& fixture,
                                  const std::filesystem::path& directory = schema_directory()) {
  boost::asio::io_context io;
  auto options = fixture.options();
  options.migrations_dir = directory;
  return store::Store(io.get_executor(), options).migrate();
}

// Columns with type, nullability and default, constraints and indexes.
std::string shape(const StoreFixture& fixture) {
  return fixture.value(R"(
    SELECT string_agg(line, E'\n' ORDER BY line) FROM (
      SELECT format('%s.%s %s %s %s %s %s', attrelid::regclass, attnum, attname,
                    format_type(atttypid, atttypmod), attnotnull, atthasdef, attidentity) AS line
        FROM pg_attribute
       WHERE attrelid IN ('plugins_pluginconfig'::regclass, 'plugins_pluginrepo'::regclass)
         AND attnum > 0
      UNION ALL
      SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
       WHERE conrelid IN ('plugins_pluginconfig'::regclass, 'plugins_pluginrepo'::regclass)
      UNION ALL
      SELECT indexdef FROM pg_indexes
       WHERE tablename IN ('plugins_pluginconfig', 'plugins_pluginrepo')) AS lines)");
}

std::ptrdiff_t migrations_here() {
  namespace fs = std::filesystem;
  return std::distance(fs::directory_iterator(schema_directory()), fs::directory_iterator());
}

// The name of a migration that follows those of the repository.
std::string next_migration(const std::string& name) {
  std::string number = std::to_string(migrations_here() + 1);
  number.insert(0, 4 - number.size(), '0');
  return number + "_" + name + ".sql";
}

std::string migrations_applied(const StoreFixture& fixture) {
  return fixture.value("SELECT count(*) FROM supervisor_schema_migration");
}

void check_refused(const supervisor::Outcome<void>& outcome, const std::string& names) {
  REQUIRE(outcome.has_error());
  CHECK(outcome.error().reason() == v1::REASON_MIGRATION_FAILED);
  CHECK_THAT(outcome.error().message(), Contains(names));
}

}  // namespace

TEST_CASE("an empty database gets exactly the tables the host would make") {
  StoreFixture ours;
  REQUIRE(migrate(ours).has_value());
  StoreFixture hosts;
  hosts.as_another_client(host_migration_1);
  hosts.as_another_client(host_migration_2);
  CHECK(shape(ours) == shape(hosts));
}

TEST_CASE("migrating again changes nothing") {
  StoreFixture fixture;
  REQUIRE(migrate(fixture).has_value());
  const auto list = "SELECT string_agg(m::text, ';') FROM supervisor_schema_migration AS m";
  const auto before = fixture.value(list);
  REQUIRE(migrate(fixture).has_value());
  CHECK(fixture.value(list) == before);
}

TEST_CASE("of supervisors started at once, one migrates and the others wait") {
  StoreFixture fixture;
  ChangeableSchema schema;
  schema.write(next_migration("slow"), "CREATE TABLE made_once (x int); SELECT pg_sleep(0.3);");
  std::vector<std::future<supervisor::Outcome<void>>> starts;
  starts.reserve(4);
  for (int i = 0; i < 4; ++i) {
    starts.push_back(std::async(std::launch::async, [&] { return migrate(fixture, schema.path); }));
  }
  for (auto& start : starts) {
    const auto outcome = start.get();
    INFO((outcome.has_error() ? outcome.error().message() : ""));
    CHECK(outcome.has_value());
  }
  CHECK(migrations_applied(fixture) == std::to_string(migrations_here() + 1));
}

TEST_CASE("an applied migration that was changed refuses the start") {
  StoreFixture fixture;
  ChangeableSchema schema;
  REQUIRE(migrate(fixture, schema.path).has_value());
  schema.write("0002_plugin_notifications.sql", "SELECT 1;");
  const auto outcome = migrate(fixture, schema.path);
  check_refused(outcome, "0002_plugin_notifications.sql was changed");
  CHECK_THAT(outcome.error().hint(), Contains("Restore the file"));
}

TEST_CASE("an applied migration that is missing refuses the start") {
  StoreFixture fixture;
  ChangeableSchema schema;
  schema.write(next_migration("later"), "CREATE TABLE later (x int);");
  REQUIRE(migrate(fixture, schema.path).has_value());
  SECTION("at the end, as after a downgrade") {
    check_refused(migrate(fixture), next_migration("later") + " was applied to this database");
  }
  SECTION("in the middle") {
    std::filesystem::remove(schema.path / "0002_plugin_notifications.sql");
    check_refused(migrate(fixture, schema.path), "number 2 is missing");
  }
  SECTION("under another name") {
    std::filesystem::rename(schema.path / next_migration("later"),
                            schema.path / next_migration("other"));
    check_refused(migrate(fixture, schema.path), next_migration("later"));
  }
}

TEST_CASE("a hole in the database's own list refuses the start") {
  StoreFixture fixture;
  REQUIRE(migrate(fixture).has_value());
  fixture.as_another_client("DELETE FROM supervisor_schema_migration WHERE version = 1");
  check_refused(migrate(fixture), "lacks number 1");
}

TEST_CASE("files that cannot be a sequence of migrations are refused, nothing applied") {
  StoreFixture fixture;
  ChangeableSchema schema;
  SECTION("two of one number") {
    schema.write("0002_again.sql", "SELECT 1;");
    check_refused(migrate(fixture, schema.path), "0002_again.sql");
  }
  SECTION("misnamed") {
    schema.write("3-later.sql", "SELECT 1;");
    check_refused(migrate(fixture, schema.path), "3-later.sql");
  }
  SECTION("no directory") { check_refused(migrate(fixture, schema.path / "absent"), "absent"); }
  SECTION("an empty directory") {
    std::filesystem::create_directory(schema.path / "empty");
    check_refused(migrate(fixture, schema.path / "empty"), "no migration");
  }
  CHECK(fixture.value("SELECT to_regclass('plugins_pluginconfig') IS NULL") == "t");
}

TEST_CASE("a migration that fails is undone whole and those before it stay") {
  StoreFixture fixture;
  ChangeableSchema schema;
  schema.write(next_migration("half"), "CREATE TABLE half (x int); SELECT 1/0;");
  check_refused(migrate(fixture, schema.path),
                next_migration("half") + " failed and was rolled back");
  CHECK(fixture.value("SELECT to_regclass('half') IS NULL") == "t");
  CHECK(migrations_applied(fixture) == std::to_string(migrations_here()));
  schema.write(next_migration("half"), "CREATE TABLE half (x int);");
  CHECK(migrate(fixture, schema.path).has_value());
}

TEST_CASE("the host's tables are adopted as they are, rows and all") {
  StoreFixture fixture;
  fixture.as_another_client(host_migration_1);
  fixture.as_another_client(host_migration_2);
  const auto before = shape(fixture);
  REQUIRE(migrate(fixture).has_value());
  CHECK(shape(fixture) == before);
}

TEST_CASE("an older host's table is adopted without what its own upgrade will add") {
  StoreFixture fixture;
  fixture.as_another_client(host_migration_1);
  REQUIRE(migrate(fixture).has_value());
  CHECK(fixture.value("SELECT to_regclass('plugins_pluginrepo') IS NULL") == "t");
  CHECK_NOTHROW(fixture.as_another_client(host_migration_2));
  // The next start attaches to the table that has come.
  REQUIRE(migrate(fixture).has_value());
  CHECK(fixture.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'supervisor_plugin_%'") ==
        "3");
}

TEST_CASE("a table of the host's name that is not the host's is refused") {
  StoreFixture fixture;
  SECTION("columns are lacking") {
    fixture.as_another_client(
        "CREATE TABLE plugins_pluginconfig (id bigint, key varchar(128) UNIQUE, settings json)");
    const auto outcome = migrate(fixture);
    check_refused(outcome, "is not the host's: it lacks name character varying");
    CHECK_THAT(outcome.error().message(), Contains("settings jsonb"));
  }
  SECTION("keys are not unique") {
    fixture.as_another_client(host_migration_1);
    fixture.as_another_client(
        "ALTER TABLE plugins_pluginconfig DROP CONSTRAINT plugins_pluginconfig_key_key");
    check_refused(migrate(fixture), "its key is not unique");
  }
  CHECK(migrations_applied(fixture) == "0");
}
