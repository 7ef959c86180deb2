// A row changed by any client of the database is noticed, across outages.
#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>

#include "tests/integration/host_tables.h"
#include "tests/integration/store_fixture.h"

using namespace store_test;

namespace {

// A store whose watch() runs and has begun to listen.
struct WatchedStore : StoreFixture {
  store::Store plugins{io.get_executor(), options()};
  std::vector<std::string> changes;
  boost::asio::cancellation_signal cancel;
  bool ended = false;

  WatchedStore() {
    REQUIRE(plugins.migrate().has_value());
    begin();
    REQUIRE(seen(""));
    changes.clear();
  }
  ~WatchedStore() {
    cancel.emit(boost::asio::cancellation_type::terminal);
    eventually([this] { return ended; });
  }

  void begin() {
    boost::asio::co_spawn(
        io, plugins.watch([this](std::string key) { changes.push_back(std::move(key)); }),
        boost::asio::bind_cancellation_slot(cancel.slot(), [this](const std::exception_ptr& error) {
          CHECK(error == nullptr);
          ended = true;
        }));
  }

  bool seen(const std::string& key) {
    return eventually(
        [&] { return std::find(changes.begin(), changes.end(), key) != changes.end(); });
  }

  void insert(const std::string& key) const {
    as_another_client(
        "INSERT INTO plugins_pluginconfig (key, name, version, description, enabled, ever_enabled,"
        " settings, created_at, updated_at, slug, installed_version_is_prerelease, deprecated)"
        " VALUES ('" +
        key + "', 'N', '', '', false, false, '{}', now(), now(), '', false, false)");
  }
};

}  // namespace

TEST_CASE("rows inserted, updated, renamed and deleted by another client are told by key") {
  WatchedStore fixture;
  fixture.insert("a");
  CHECK(fixture.seen("a"));
  fixture.changes.clear();
  fixture.as_another_client("UPDATE plugins_pluginconfig SET enabled = true WHERE key = 'a'");
  CHECK(fixture.seen("a"));
  fixture.changes.clear();
  fixture.as_another_client("UPDATE plugins_pluginconfig SET key = 'b' WHERE key = 'a'");
  CHECK(fixture.seen("a"));
  CHECK(fixture.seen("b"));
  fixture.changes.clear();
  fixture.as_another_client("DELETE FROM plugins_pluginconfig");
  CHECK(fixture.seen("b"));
  fixture.changes.clear();
  fixture.as_another_client("TRUNCATE plugins_pluginconfig CASCADE");
  CHECK(fixture.seen(""));
}

TEST_CASE("our own writes are told like anybody's, unchanged rows are not") {
  WatchedStore fixture;
  REQUIRE(fixture.run(fixture.plugins.record_discovered({{"a", "A", "", ""}})).has_value());
  CHECK(fixture.seen("a"));
  fixture.changes.clear();
  REQUIRE(fixture.run(fixture.plugins.record_discovered({{"a", "A", "", ""}})).has_value());
  fixture.insert("later");
  CHECK(fixture.seen("later"));
  CHECK(fixture.changes == std::vector<std::string>{"later"});
}

TEST_CASE("our own writes are told later than anybody's, and once for many") {
  WatchedStore fixture;
  fixture.insert("a");
  CHECK(fixture.seen("a"));
  fixture.changes.clear();
  const auto begun = std::chrono::steady_clock::now();
  for (const bool enabled : {true, false, true})
    REQUIRE(fixture.run(fixture.plugins.set_enabled("a", enabled)).has_value());
  fixture.insert("theirs");
  const bool in_time = std::chrono::steady_clock::now() - begun < 80ms;
  CHECK(fixture.seen("a"));
  CHECK(fixture.seen("theirs"));
  // On a machine that is too slow for it there is nothing to see.
  if (in_time) CHECK(fixture.changes == std::vector<std::string>{"theirs", "a"});
}

TEST_CASE("a renamed repository tells its plugins") {
  WatchedStore fixture;
  fixture.insert("a");
  fixture.as_another_client(
      "INSERT INTO plugins_pluginrepo (id, name, url, is_official, enabled, cached_manifest,"
      " public_key, last_fetch_status, created_at, updated_at)"
      " VALUES (7, 'R', 'https://example.org/', false, true, '{}', '', '', now(), now());"
      "UPDATE plugins_pluginconfig SET source_repo_id = 7");
  CHECK(fixture.seen("a"));
  fixture.insert("unconcerned");
  CHECK(fixture.seen("unconcerned"));
  fixture.changes.clear();
  // The writer's search_path need not be ours.
  fixture.as_another_client(
      "SET search_path = pg_catalog; UPDATE public.plugins_pluginrepo SET name = 'S'");
  CHECK(fixture.seen("a"));
  CHECK(fixture.changes == std::vector<std::string>{"a"});
}

TEST_CASE("a change that is rolled back is not told") {
  WatchedStore fixture;
  {
    pqxx::connection other(fixture.connection);
    pqxx::work abandoned(other);
    abandoned.exec("DELETE FROM plugins_pluginconfig; SELECT supervisor_attach_notifications()");
    abandoned.abort();
  }
  fixture.insert("kept");
  CHECK(fixture.seen("kept"));
  CHECK(fixture.changes == std::vector<std::string>{"kept"});
}

TEST_CASE("after its connection is terminated the watch listens again and says so") {
  WatchedStore fixture;
  fixture.as_another_client(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
      " WHERE application_name = 'plugin-supervisor' AND datname = current_database()");
  CHECK(fixture.seen(""));
  fixture.insert("after");
  CHECK(fixture.seen("after"));
}

TEST_CASE("after a restart of the server the watch listens again and says so") {
  WatchedStore fixture;
  postgres().stop();
  CHECK_FALSE(fixture.run(fixture.plugins.reachable()));
  postgres().start();
  CHECK(fixture.seen(""));
  fixture.insert("after");
  CHECK(fixture.seen("after"));
}

TEST_CASE("cancelling ends the watch at once, connected or not") {
  const bool connected = GENERATE(true, false);
  WatchedStore fixture;
  if (!connected) {
    postgres().stop();
    CHECK_FALSE(fixture.run(fixture.plugins.reachable()));
  }
  const auto begun = std::chrono::steady_clock::now();
  fixture.cancel.emit(boost::asio::cancellation_type::terminal);
  CHECK(fixture.eventually([&] { return fixture.ended; }));
  CHECK(std::chrono::steady_clock::now() - begun < 1s);
  postgres().start();
}
