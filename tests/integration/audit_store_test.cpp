// The audit trail in the database: rows are added with what they tell of, and
// neither changed nor removed unseen.
#include <catch2/catch.hpp>

#include "supervisor/audit/audit_trail.h"
#include "tests/integration/store_fixture.h"

using namespace store_test;
using Catch::Matchers::Contains;
namespace audit = supervisor::audit;

namespace {

struct Trail : StoreFixture {
  store::Store store{io.get_executor(), options()};
  audit::AuditTrail trail{io.get_executor(), store, 4};

  Trail() {
    REQUIRE(store.migrate().has_value());
    std::vector<store::DiscoveredPlugin> found{{"hello", "Hello", "1", ""}};
    REQUIRE(run(store.record_discovered(std::move(found))).has_value());
  }

  v1::AuditEntry entry(v1::AuditAction action, const std::string& plugin = "hello") {
    v1::Caller caller;
    caller.set_origin("pluginctl");
    caller.set_actor("root");
    return trail.entry(std::move(caller), action, plugin);
  }

  store::AuditNote note(v1::AuditAction action) {
    return std::make_shared<const v1::AuditEntry>(entry(action));
  }

  void add(int count) {
    std::vector<store::AuditNote> notes;
    for (int i = 0; i < count; ++i) notes.push_back(note(v1::AUDIT_ACTION_RUN));
    REQUIRE(run(store.save_audit(std::move(notes))).has_value());
  }

  std::vector<v1::AuditEntry> list(store::AuditFilter filter = {}) {
    const auto listed = run(store.audit(std::move(filter)));
    REQUIRE(listed.has_value());
    return listed.value();
  }

  std::string count() { return value("SELECT count(*) FROM supervisor_audit"); }

  /// The error of a statement that must be refused.
  std::string refusal(const std::string& sql) {
    try {
      as_another_client(sql);
    } catch (const pqxx::sql_error& error) {
      return error.what();
    }
    return "it was not refused";
  }

  void write_in_background() {
    boost::asio::co_spawn(io, trail.write_forever(), [](const std::exception_ptr&) {});
  }
};

std::vector<std::string> actions(const std::vector<v1::AuditEntry>& entries) {
  std::vector<std::string> words;
  for (const auto& entry : entries) words.push_back(entry.action());
  return words;
}

}  // namespace

TEST_CASE("PostgreSQL refuses to change, remove or truncate the audit trail") {
  Trail fixture;
  fixture.add(3);
  for (const auto* sql :
       {"UPDATE supervisor_audit SET actor = 'nobody'",
        "UPDATE supervisor_audit SET actor = 'nobody' WHERE false", "DELETE FROM supervisor_audit",
        "DELETE FROM supervisor_audit WHERE id = (SELECT min(id) FROM "
        "supervisor_audit)",
        "TRUNCATE supervisor_audit",
        "INSERT INTO supervisor_audit SELECT * FROM supervisor_audit "
        "ON CONFLICT (id) DO UPDATE SET actor = 'nobody'"}) {
    CAPTURE(sql);
    CHECK_THAT(fixture.refusal(sql), Contains("append-only"));
  }
  CHECK(fixture.value("SELECT count(*) FROM supervisor_audit WHERE actor = 'root'") == "3");
}

TEST_CASE("old rows of the audit trail are pruned, and that is recorded") {
  Trail fixture;
  auto old = fixture.entry(v1::AUDIT_ACTION_KILL);
  old.set_time_unix_us(1'000'000);
  std::vector<store::AuditNote> notes{std::make_shared<const v1::AuditEntry>(old)};
  REQUIRE(fixture.run(fixture.store.save_audit(std::move(notes))).has_value());
  fixture.add(2);
  CHECK(fixture.value("SELECT supervisor_audit_prune(now() - interval '1 hour')") == "1");
  const auto left = fixture.list();
  CHECK(actions(left) == std::vector<std::string>{"prune", "run", "run"});
  CHECK(left.front().caller().origin() == "database");
  CHECK_FALSE(left.front().caller().actor().empty());
  CHECK_THAT(left.front().details_json(), Contains(R"("rows": 1)"));
}

TEST_CASE("a pruning is no leave to remove more than it says") {
  Trail fixture;
  fixture.add(3);
  CHECK_THAT(fixture.refusal("SELECT supervisor_audit_prune(now() - interval '1 hour');"
                             "DELETE FROM supervisor_audit WHERE action = 'run'"),
             Contains("append-only"));
  fixture.value("SELECT supervisor_audit_prune(now() - interval '1 hour')");
  CHECK_THAT(fixture.refusal("DELETE FROM supervisor_audit WHERE action = 'run'"),
             Contains("append-only"));
  CHECK_THAT(fixture.refusal("SELECT supervisor_audit_prune(now() + interval '1 hour')"),
             Contains("passed"));
  CHECK(fixture.value("SELECT count(*) FROM supervisor_audit WHERE action = 'run'") == "3");
}

TEST_CASE("a stored change and its audit row are one statement") {
  Trail fixture;
  const auto stored = [](const auto& outcome) {
    INFO((outcome.has_error() ? outcome.error().message() : ""));
    REQUIRE(outcome.has_value());
  };
  stored(
      fixture.run(fixture.store.set_enabled("hello", true, fixture.note(v1::AUDIT_ACTION_ENABLE))));
  stored(fixture.run(
      fixture.store.set_settings("hello", R"({"a": 1})", fixture.note(v1::AUDIT_ACTION_SETTINGS))));
  stored(fixture.run(
      fixture.store.save_plugin_options({"hello", "{}"}, fixture.note(v1::AUDIT_ACTION_OPTIONS))));
  stored(fixture.run(fixture.store.save_permission_grant({"hello", "{}", "root", 0},
                                                         fixture.note(v1::AUDIT_ACTION_GRANT))));
  CHECK(actions(fixture.list()) ==
        std::vector<std::string>{"grant", "options", "settings", "enable"});
  // In one statement: their transactions are the same.
  CHECK(fixture.value("SELECT count(*) FROM supervisor_audit AS a, supervisor_plugin_options AS o "
                      "WHERE a.action = 'options' AND a.xmin = o.xmin") == "1");
  CHECK(fixture.value("SELECT count(*) FROM supervisor_audit AS a, plugins_pluginconfig AS c "
                      "WHERE a.action = 'settings' AND a.xmin = c.xmin") == "1");
}

TEST_CASE("a change of nothing leaves no audit row, and a failed one neither") {
  Trail fixture;
  CHECK_FALSE(
      fixture.run(fixture.store.set_enabled("absent", true, fixture.note(v1::AUDIT_ACTION_ENABLE)))
          .value()
          .has_value());
  CHECK(fixture
            .run(fixture.store.set_settings("hello", R"({"a": "\u0000"})",
                                            fixture.note(v1::AUDIT_ACTION_SETTINGS)))
            .has_error());
  CHECK(fixture.count() == "0");
}

TEST_CASE("a change whose audit row cannot be written is not made") {
  Trail fixture;
  fixture.as_another_client("ALTER TABLE supervisor_audit RENAME TO elsewhere");
  CHECK(fixture.run(fixture.store.set_enabled("hello", true, fixture.note(v1::AUDIT_ACTION_ENABLE)))
            .has_error());
  CHECK(fixture.value("SELECT enabled FROM plugins_pluginconfig WHERE key = 'hello'") == "f");
}

TEST_CASE("an audit row that is written twice is there once, as it was first") {
  Trail fixture;
  auto entry = fixture.entry(v1::AUDIT_ACTION_ENABLE);
  const auto done = std::make_shared<const v1::AuditEntry>(entry);
  fixture.run(fixture.store.set_enabled("hello", true, done));
  fixture.run(fixture.store.set_enabled("hello", true, done));
  entry.set_reason("database_unavailable");
  std::vector<store::AuditNote> refused{std::make_shared<const v1::AuditEntry>(entry)};
  REQUIRE(fixture.run(fixture.store.save_audit(std::move(refused))).has_value());
  REQUIRE(fixture.list().size() == 1);
  CHECK(fixture.list().front().reason().empty());
}

TEST_CASE("every part of an audit row is read as it was written, whatever it holds") {
  Trail fixture;
  v1::Caller caller;
  caller.set_origin("gateway");
  caller.set_actor("token:0123abcd");
  caller.set_on_behalf_of("Zo\xc3\xab \"the\" \\ 'admin'\x01\xff");
  caller.set_client("::1");
  caller.set_request_id(std::string(500, 'r'));
  auto written = fixture.trail.entry(caller, v1::AUDIT_ACTION_SETTINGS, std::string("pl\0ugin", 7));
  written.set_details_json(R"({"keys": ["a\"b"]})");
  std::vector<store::AuditNote> notes{std::make_shared<const v1::AuditEntry>(written)};
  REQUIRE(fixture.run(fixture.store.save_audit(std::move(notes))).has_value());
  const auto read = fixture.list().front();
  CHECK(read.SerializeAsString() == written.SerializeAsString());
  CHECK(read.caller().request_id().size() < 300);
  CHECK_THAT(read.caller().on_behalf_of(), Contains("\\x01"));
}

TEST_CASE("the audit trail is searched by plugin, action, actor and time, and read in pages") {
  Trail fixture;
  std::vector<store::AuditNote> notes;
  auto other = fixture.entry(v1::AUDIT_ACTION_KILL, "other");
  other.mutable_caller()->set_on_behalf_of("zoe");
  auto old = fixture.entry(v1::AUDIT_ACTION_RUN);
  old.set_time_unix_us(1'000'000);
  notes.push_back(std::make_shared<const v1::AuditEntry>(other));
  notes.push_back(std::make_shared<const v1::AuditEntry>(old));
  for (int i = 0; i < 5; ++i) notes.push_back(fixture.note(v1::AUDIT_ACTION_RUN));
  REQUIRE(fixture.run(fixture.store.save_audit(std::move(notes))).has_value());

  CHECK(fixture.list({.plugin = "other"}).size() == 1);
  CHECK(fixture.list({.action = "kill"}).size() == 1);
  CHECK(fixture.list({.actor = "zoe"}).size() == 1);
  CHECK(fixture.list({.actor = "root"}).size() == 7);
  CHECK(fixture.list({.actor = "' OR true"}).empty());
  CHECK(fixture.list({.since_unix_ms = 2000}).size() == 6);
  const auto page = fixture.list({.limit = 3});
  REQUIRE(page.size() == 3);
  CHECK(page[0].id() > page[1].id());
  const auto next = fixture.list({.before_id = page[2].id()});
  CHECK(next.size() == 4);
  CHECK(next.back().action() == "kill");
}

TEST_CASE("ids rise within a microsecond, and go on where the database ended") {
  Trail fixture;
  std::int64_t last = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto id = fixture.entry(v1::AUDIT_ACTION_RUN).id();
    CHECK(id > last);
    last = id;
  }
  // As of a clock that has been set back since.
  auto ahead = fixture.entry(v1::AUDIT_ACTION_RUN);
  ahead.set_id(last + 3'600'000'000);
  std::vector<store::AuditNote> notes{std::make_shared<const v1::AuditEntry>(ahead)};
  REQUIRE(fixture.run(fixture.store.save_audit(std::move(notes))).has_value());
  REQUIRE(fixture.run(fixture.trail.recall()).has_value());
  CHECK(fixture.entry(v1::AUDIT_ACTION_RUN).id() == ahead.id() + 1);
}

TEST_CASE("what is recorded is in the list that is asked for next, and in the database") {
  Trail fixture;
  fixture.write_in_background();
  fixture.trail.record(fixture.entry(v1::AUDIT_ACTION_RESTART));
  fixture.trail.refuse(fixture.entry(v1::AUDIT_ACTION_KILL), v1::REASON_NOT_FOUND);
  const auto listed = fixture.run(fixture.trail.list({}));
  REQUIRE(listed.has_value());
  CHECK(actions(listed.value()) == std::vector<std::string>{"kill", "restart"});
  CHECK(listed.value().front().reason() == "not_found");
  CHECK(fixture.count() == "2");
}

TEST_CASE("more entries than may wait are lost and counted, those of runs first") {
  Trail fixture;
  for (int i = 0; i < 6; ++i) fixture.trail.record(fixture.entry(v1::AUDIT_ACTION_RUN));
  CHECK(fixture.trail.lost() == 2);
  for (int i = 0; i < 3; ++i) fixture.trail.record(fixture.entry(v1::AUDIT_ACTION_KILL));
  CHECK(fixture.trail.lost() == 3);
  fixture.write_in_background();
  REQUIRE(fixture.run(fixture.trail.list({})).has_value());
  CHECK(fixture.list({.action = "kill"}).size() == 2);
  CHECK(fixture.list({.action = "run"}).size() == 4);
  CHECK(fixture.trail.lost() == 3);
}

TEST_CASE("an entry that the database refuses keeps out no other") {
  Trail fixture;
  fixture.trail.record(fixture.entry(v1::AUDIT_ACTION_START));
  auto broken = fixture.entry(v1::AUDIT_ACTION_STOP);
  broken.set_details_json(R"({"text": "\u0000"})");
  fixture.trail.record(broken);
  fixture.trail.record(fixture.entry(v1::AUDIT_ACTION_KILL));
  fixture.write_in_background();
  const auto listed = fixture.run(fixture.trail.list({}));
  REQUIRE(listed.has_value());
  CHECK(actions(listed.value()) == std::vector<std::string>{"kill", "start"});
  CHECK(fixture.trail.lost() == 1);
}
