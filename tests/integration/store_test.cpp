// Plugin rows are read and written; what cannot be is said, in time.
#include "supervisor/store/store.h"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <catch2/catch.hpp>

#include "supervisor/store/connection_string.h"
#include "tests/integration/host_tables.h"
#include "tests/integration/store_fixture.h"

using namespace store_test;
using Catch::Matchers::Contains;

namespace {

struct MigratedStore : StoreFixture {
  store::Store plugins{io.get_executor(), options()};

  MigratedStore() {
    const auto outcome = plugins.migrate();
    INFO((outcome.has_error() ? outcome.error().message() : ""));
    REQUIRE(outcome.has_value());
  }

  void discover(std::vector<store::DiscoveredPlugin> found) {
    const auto outcome = run(plugins.record_discovered(std::move(found)));
    INFO((outcome.has_error() ? outcome.error().message() : ""));
    REQUIRE(outcome.has_value());
  }

  store::PluginConfigRow row(const std::string& key) {
    const auto outcome = run(plugins.config(key));
    REQUIRE(outcome.has_value());
    REQUIRE(outcome.value().has_value());
    return *outcome.value();
  }
};

template <typename T>
void check_refused(const supervisor::Outcome<T>& outcome, v1::Reason reason,
                   const std::string& says) {
  REQUIRE(outcome.has_error());
  CHECK(outcome.error().reason() == reason);
  CHECK_THAT(outcome.error().message(), Contains(says));
}

}  // namespace

TEST_CASE("a discovered plugin gets a row, disabled and without settings") {
  MigratedStore fixture;
  fixture.discover({{"hello", "Hello", "1.0", "Says hello"}});
  const auto row = fixture.row("hello");
  CHECK(row.name == "Hello");
  CHECK(row.version == "1.0");
  CHECK(row.description == "Says hello");
  CHECK_FALSE(row.enabled);
  CHECK_FALSE(row.ever_enabled);
  CHECK(row.settings_json == "{}");
  CHECK(row.source_repo_id == 0);
}

TEST_CASE("discovering again updates what changed and keeps what an admin chose") {
  MigratedStore fixture;
  fixture.discover({{"hello", "Hello", "1.0", ""}, {"other", "Other", "1", ""}});
  fixture.run(fixture.plugins.set_enabled("hello", true));
  fixture.run(fixture.plugins.set_settings("hello", R"({"a": 1})"));
  const auto stamp = "SELECT updated_at FROM plugins_pluginconfig WHERE key = 'other'";
  const auto untouched = fixture.value(stamp);
  fixture.discover({{"hello", "Hello", "2.0", "New"}, {"other", "Other", "1", ""}});
  const auto row = fixture.row("hello");
  CHECK(row.version == "2.0");
  CHECK(row.description == "New");
  CHECK(row.enabled);
  CHECK(row.settings_json == R"({"a": 1})");
  CHECK(fixture.value(stamp) == untouched);
}

TEST_CASE("a plugin once enabled stays known as ever enabled") {
  MigratedStore fixture;
  fixture.discover({{"hello", "Hello", "", ""}});
  const auto on = fixture.run(fixture.plugins.set_enabled("hello", true));
  REQUIRE(on.value().has_value());
  CHECK(on.value()->enabled);
  const auto off = fixture.run(fixture.plugins.set_enabled("hello", false));
  CHECK_FALSE(off.value()->enabled);
  CHECK(off.value()->ever_enabled);
}

TEST_CASE("a key without a row is nothing, not an error") {
  MigratedStore fixture;
  CHECK_FALSE(fixture.run(fixture.plugins.config("absent")).value().has_value());
  CHECK_FALSE(fixture.run(fixture.plugins.set_enabled("absent", true)).value().has_value());
  CHECK_FALSE(fixture.run(fixture.plugins.set_settings("absent", "{}")).value().has_value());
}

TEST_CASE("all rows come with the name of their repository") {
  MigratedStore fixture;
  fixture.discover({{"b", "B", "", ""}, {"a", "A", "", ""}});
  fixture.as_another_client(
      "INSERT INTO plugins_pluginrepo (name, url, is_official, enabled, cached_manifest,"
      " public_key, last_fetch_status, created_at, updated_at)"
      " VALUES ('Official', 'https://example.org/m.json', true, true, '{}', '', '', now(), now());"
      "UPDATE plugins_pluginconfig SET source_repo_id = 1, slug = 's', deprecated = true"
      " WHERE key = 'b'");
  const auto rows = fixture.run(fixture.plugins.all_configs()).value();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].key == "a");
  CHECK(rows[0].source_repo_name.empty());
  CHECK(rows[1].source_repo_name == "Official");
  CHECK(rows[1].is_official_repo);
  CHECK(rows[1].slug == "s");
  CHECK(rows[1].deprecated);
}

TEST_CASE("keys that cannot be keys are refused as values") {
  MigratedStore fixture;
  const auto bad = GENERATE(std::string(), std::string(129, 'k'), std::string("a\0b", 3),
                            std::string("\xff\xfe"));
  check_refused(fixture.run(fixture.plugins.config(bad)), v1::REASON_INVALID_REQUEST, "key");
  check_refused(fixture.run(fixture.plugins.set_enabled(bad, true)), v1::REASON_INVALID_REQUEST,
                "key");
  check_refused(fixture.run(fixture.plugins.set_settings(bad, "{}")), v1::REASON_INVALID_REQUEST,
                "key");
  check_refused(fixture.run(fixture.plugins.record_discovered({{bad, "n", "", ""}})),
                v1::REASON_INVALID_REQUEST, "key");
}

TEST_CASE("the longest key counts characters, not bytes") {
  MigratedStore fixture;
  std::string key;
  for (int i = 0; i < 128; ++i) key += "\xc3\xa9";
  fixture.discover({{key, "n", "", ""}});
  CHECK(fixture.row(key).key == key);
}

TEST_CASE("settings that PostgreSQL cannot hold are refused with the reason") {
  MigratedStore fixture;
  fixture.discover({{"hello", "Hello", "", ""}});
  const auto store = [&](const std::string& settings) {
    return fixture.run(fixture.plugins.set_settings("hello", settings));
  };
  check_refused(store(R"({"a": "\u0000"})"), v1::REASON_INVALID_REQUEST, "U+0000");
  check_refused(store("[1]"), v1::REASON_INVALID_REQUEST, "not a JSON object");
  check_refused(store("{\"a\":"), v1::REASON_INVALID_REQUEST, "not a JSON object");
  check_refused(store(std::string("{}\0", 3)), v1::REASON_INVALID_REQUEST, "not a JSON object");
  CHECK(fixture.row("hello").settings_json == "{}");
  // The connection is as good as before.
  CHECK(store(R"({"big": 12345678901234567890123, "text": "ü'\"\\"})").has_value());
  CHECK_THAT(fixture.row("hello").settings_json, Contains("12345678901234567890123"));
}

TEST_CASE("one plugin with impossible text does not keep out the others") {
  MigratedStore fixture;
  fixture.discover({{"long", std::string(5000, 'x'), std::string(500, '1'), "d"},
                    {"bytes", std::string("a\xff\0z", 4), "", ""},
                    {"plain", "Plain", "", ""}});
  CHECK(fixture.row("long").name.size() == 255);
  CHECK(fixture.row("long").version.size() == 64);
  CHECK_THAT(fixture.row("bytes").name, Contains("a") && Contains("z"));
  CHECK(fixture.row("plain").name == "Plain");
}

TEST_CASE("rows of an older host are read, and after its upgrade the new columns too") {
  StoreFixture fixture;
  fixture.as_another_client(host_migration_1);
  store::Store plugins(fixture.io.get_executor(), fixture.options());
  REQUIRE(plugins.migrate().has_value());
  REQUIRE(fixture.run(plugins.record_discovered({{"a", "A", "", ""}})).has_value());
  CHECK(fixture.run(plugins.config("a")).value()->slug.empty());
  fixture.as_another_client(host_migration_2);
  fixture.as_another_client("UPDATE plugins_pluginconfig SET slug = 'new'");
  CHECK(fixture.run(plugins.config("a")).value()->slug == "new");
  REQUIRE(fixture.run(plugins.record_discovered({{"b", "B", "", ""}})).has_value());
}

TEST_CASE("a write returns the row as the host has it now, whatever it had before") {
  StoreFixture fixture;
  fixture.as_another_client(host_migration_1);
  store::Store plugins(fixture.io.get_executor(), fixture.options());
  REQUIRE(plugins.migrate().has_value());
  REQUIRE(fixture.run(plugins.record_discovered({{"a", "A", "", ""}})).has_value());
  const auto enable = [&](bool enabled) {
    const auto outcome = fixture.run(plugins.set_enabled("a", enabled));
    INFO((outcome.has_error() ? outcome.error().message() : ""));
    REQUIRE(outcome.has_value());
    REQUIRE(outcome.value().has_value());
    CHECK(outcome.value()->enabled == enabled);
    return *outcome.value();
  };
  CHECK(enable(true).slug.empty());
  fixture.as_another_client(host_migration_2);
  fixture.as_another_client("UPDATE plugins_pluginconfig SET slug = 'new'");
  CHECK(enable(false).slug == "new");
  fixture.as_another_client("ALTER TABLE plugins_pluginconfig ALTER name TYPE text");
  CHECK(enable(true).name == "A");
  fixture.as_another_client("ALTER TABLE plugins_pluginconfig DROP slug");
  CHECK(enable(false).slug.empty());
  CHECK(fixture.run(plugins.config("a")).value()->slug.empty());
  fixture.as_another_client("DROP TABLE plugins_pluginrepo CASCADE");
  CHECK(enable(true).source_repo_name.empty());
  CHECK(fixture.run(plugins.set_settings("a", R"({"b": 1})")).value()->settings_json ==
        R"({"b": 1})");
}

TEST_CASE("a newer host's column without a default is filled like its model would") {
  MigratedStore fixture;
  fixture.as_another_client(
      "ALTER TABLE plugins_pluginconfig ADD pinned boolean NOT NULL, ADD note text NOT NULL,"
      " ADD \"order\" integer NOT NULL, ADD extra jsonb NOT NULL");
  fixture.discover({{"hello", "Hello", "", ""}});
  CHECK(fixture.value("SELECT concat(pinned, note, \"order\", extra) FROM plugins_pluginconfig") ==
        "f0{}");
}

TEST_CASE("while the database is down every call fails in time, and works again after") {
  MigratedStore fixture;
  fixture.discover({{"hello", "Hello", "", ""}});
  REQUIRE(fixture.run(fixture.plugins.reachable()));
  postgres().stop();
  const auto begun = std::chrono::steady_clock::now();
  check_refused(fixture.run(fixture.plugins.all_configs()), v1::REASON_DATABASE_UNAVAILABLE,
                "does not answer");
  CHECK_FALSE(fixture.run(fixture.plugins.reachable()));
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
  postgres().start();
  CHECK(fixture.run(fixture.plugins.reachable()));
  CHECK(fixture.run(fixture.plugins.all_configs()).value().size() == 1);
}

TEST_CASE("calls that queue for a connection share one connect timeout") {
  StoreFixture fixture;
  // A server that takes connections and never says a word.
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("silent_" + std::to_string(::getpid()));
  std::filesystem::create_directory(directory);
  {
    boost::asio::local::stream_protocol::acceptor silent(fixture.io,
                                                         (directory / ".s.PGSQL.5432").string());
    fixture.connection = "host=" + directory.string();
    store::Store plugins(fixture.io.get_executor(), fixture.options());
    const auto begun = std::chrono::steady_clock::now();
    int failed = 0;
    for (int i = 0; i < 5; ++i) {
      boost::asio::co_spawn(fixture.io, plugins.all_configs(),
                            [&](const std::exception_ptr& /*unused*/, const auto& outcome) {
                              check_refused(outcome, v1::REASON_DATABASE_UNAVAILABLE,
                                            "does not answer");
                              ++failed;
                            });
    }
    CHECK(fixture.eventually([&] { return failed == 5; }));
    CHECK(std::chrono::steady_clock::now() - begun < 3s);
  }
  std::filesystem::remove_all(directory);
}

TEST_CASE("a server restarted between two calls is not noticed by the second") {
  MigratedStore fixture;
  fixture.discover({{"hello", "Hello", "", ""}});
  postgres().stop();
  postgres().start();
  const auto outcome = fixture.run(fixture.plugins.set_enabled("hello", true));
  REQUIRE(outcome.has_value());
  CHECK(outcome.value()->enabled);
}

TEST_CASE("a statement that takes too long is given up by the server") {
  MigratedStore fixture;
  fixture.discover({{"hello", "Hello", "", ""}});
  pqxx::connection other(fixture.connection);
  pqxx::work lock(other);
  lock.exec("LOCK TABLE plugins_pluginconfig");
  check_refused(fixture.run(fixture.plugins.set_enabled("hello", true)),
                v1::REASON_DATABASE_UNAVAILABLE, "took too long");
}

TEST_CASE("a server that stops answering is given up by the client") {
  MigratedStore fixture;
  REQUIRE(fixture.run(fixture.plugins.all_configs()).has_value());
  const auto backend = fixture.as_another_client(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'plugin-supervisor'"
      " AND datname = current_database()");
  const auto pid = backend.front()[0].as<pid_t>();
  REQUIRE(::kill(pid, SIGSTOP) == 0);
  const auto begun = std::chrono::steady_clock::now();
  const auto outcome = fixture.run(fixture.plugins.all_configs());
  CHECK(std::chrono::steady_clock::now() - begun < 6s);
  check_refused(outcome, v1::REASON_DATABASE_UNAVAILABLE, "no answer within");
  // The next call takes a new connection.
  CHECK(fixture.run(fixture.plugins.all_configs()).has_value());
  ::kill(pid, SIGCONT);
}

TEST_CASE("a database that is not there is a clear failure") {
  boost::asio::io_context io;
  store::Store plugins(io.get_executor(), {"host=/nonexistent dbname=x password=s3cret-word",
                                           schema_directory(), 2s, 2s});
  const auto outcome = plugins.migrate();
  check_refused(outcome, v1::REASON_DATABASE_UNAVAILABLE, "/nonexistent");
  CHECK(outcome.error().message().find("s3cret-word") == std::string::npos);
}

TEST_CASE("no message about a malformed connection string quotes it") {
  for (const std::string given :
       {"postgresql://me:s3cret@word@host/db", "postgresql://me:s3cret/word@host/db",
        "host=h s3cret", "postgresql://me:5/s3cret@host/db", "nonsense s3cret",
        "postgresql://me:s3cret%zz@host/db"}) {
    const auto outcome = store::ConnectionString::parse(given, 2s);
    INFO(given);
    check_refused(outcome, v1::REASON_INVALID_REQUEST, "connection string is invalid");
    CHECK(outcome.error().message().find("s3cret") == std::string::npos);
  }
}

TEST_CASE("what is given in a connection string stays, what is open is filled in") {
  const auto parsed =
      store::ConnectionString::parse("postgresql://me:p%27w@h:5433/db?connect_timeout=9", 2s);
  REQUIRE(parsed.has_value());
  CHECK_THAT(parsed.value().for_libpq(), Contains("connect_timeout='9'"));
  CHECK_THAT(parsed.value().for_libpq(), Contains("password='p\\'w'"));
  CHECK_THAT(parsed.value().for_libpq(), Contains("application_name='plugin-supervisor'"));
  CHECK(parsed.value().redact("wrong: p'w\n\tat line 1 \n") == "wrong: *** at line 1");
}
