// Which calls are audited, and what an entry says of them.
#include <google/protobuf/descriptor_database.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <set>

#include "api_gateway/caller.h"
#include "plugin_supervisor/v1/jobs_service.pb.h"
#include "plugin_supervisor/v1/metrics_service.pb.h"
#include "plugin_supervisor/v1/plugins_service.pb.h"
#include "plugin_supervisor/v1/watch_service.pb.h"
#include "plugin_supervisor/v1/worker_link.pb.h"
#include "plugin_supervisor/v1/workers_service.pb.h"
#include "supervisor/audit/audit_details.h"
#include "supervisor/audit/audited_methods.h"
#include "supervisor/sandbox/permissions.h"

using namespace supervisor;

namespace {

// Of all files of ours that are linked into the programs.
std::set<std::string> served_methods() {
  std::vector<std::string> files;
  google::protobuf::DescriptorPool::internal_generated_database()->FindAllFileNames(&files);
  std::set<std::string> methods;
  for (const auto& name : files) {
    if (!name.starts_with("plugin_supervisor/")) continue;
    const auto* const file =
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    for (int s = 0; s < file->service_count(); ++s)
      for (int m = 0; m < file->service(s)->method_count(); ++m)
        methods.insert(file->service(s)->name() + "." + file->service(s)->method(m)->name());
  }
  return methods;
}

std::string grant_json(const char* before, const char* after) {
  const auto permissions = [](const char* json) {
    return sandbox::parse_permissions(json).value();
  };
  return audit::grant_details(permissions(before), permissions(after)).json;
}

}  // namespace

TEST_CASE("every method of every service is audited, or it is said why not") {
  std::set<std::string> decided;
  for (const auto& decision : audit::audit_decisions()) {
    CAPTURE(decision.method);
    CHECK(decided.emplace(decision.method).second);
    CHECK(decision.actions.empty() == !decision.why_not.empty());
  }
  const auto served = served_methods();
  CHECK(served.contains("Plugins.Run"));
  CHECK(served.contains("WorkerLink.Attach"));
  CHECK(served == decided);
}

TEST_CASE("every action of the audit trail comes from some method") {
  std::set<int> found{v1::AUDIT_ACTION_UNSPECIFIED, v1::AUDIT_ACTION_PRUNE};
  for (const auto& decision : audit::audit_decisions())
    found.insert(decision.actions.begin(), decision.actions.end());
  const auto* const actions = v1::AuditAction_descriptor();
  for (int i = 0; i < actions->value_count(); ++i) {
    CAPTURE(actions->value(i)->name());
    CHECK(found.contains(actions->value(i)->number()));
  }
}

TEST_CASE("changed settings are named, and no value is told") {
  CHECK(audit::settings_details(R"({"a": 1, "gone": "x", "same": [1, 2]})",
                                R"({"a": 2, "password": "secret", "same": [1, 2]})") ==
        R"({"keys":["a","gone","password"]})");
  CHECK(audit::settings_details("{}", "{}") == R"({"keys":[]})");
  CHECK(audit::settings_details("nonsense", R"({"a\u0000\n": 1})") ==
        R"({"keys":["a\\x00\\x0a"]})");
}

TEST_CASE("who changes a thousand settings makes no long entry") {
  boost::json::object many;
  for (int i = 0; i < 1000; ++i) many[std::string(300, 'k') + std::to_string(i)] = i;
  const auto details = audit::settings_details("{}", boost::json::serialize(many));
  CHECK(details.size() < 30'000);
  CHECK(details.find("and 900 more") != std::string::npos);
}

TEST_CASE("changed options are told with their new values") {
  v1::PluginOptions before;
  before.set_memory_bytes(1024);
  before.set_cpus(0.5);
  v1::PluginOptions after;
  after.set_cpus(0.5);
  after.set_processes(64);
  CHECK(audit::options_details(before, after) == R"({"set":{"memory_bytes":null,"processes":64}})");
}

TEST_CASE("a grant tells what came and what went") {
  CHECK(grant_json(R"({"exec": ["ffmpeg"]})", R"({"exec": ["self"], "devices": ["dri"]})") ==
        R"({"granted":["exec=self","devices=dri"],"revoked":["exec=ffmpeg"]})");
  const auto nothing = v1::Permissions();
  const auto some = sandbox::parse_permissions(R"({"exec": ["ffmpeg"]})").value();
  CHECK(audit::grant_details(some, nothing).only_revokes);
  CHECK_FALSE(audit::grant_details(nothing, some).only_revokes);
  CHECK_FALSE(audit::grant_details(some, some).only_revokes);
}

TEST_CASE("a run is told by its action and its job") {
  CHECK(audit::run_details("say \"hi\"", "01abc") == R"({"action":"say \"hi\"","job":"01abc"})");
}

TEST_CASE("a token is named by a fingerprint that does not hold it") {
  CHECK(gateway::token_name("secret") == "token:2bb80d53");  // printf secret | sha256sum
  CHECK(gateway::token_name("secret") != gateway::token_name("secret2"));
}

TEST_CASE("what the gateway says of its caller is short, and UTF-8") {
  gateway::RequestHead head;
  const std::string cut_within = std::string(199, 'a') + "\xc3\xa9";
  head.requested_by = cut_within;
  head.request_id = "\xff\xff\xff\xff\xff\xff";
  head.authorization = "Bearer secret";
  const auto said = gateway::serialised_caller(head, "token:2bb80d53", "127.0.0.1");
  CHECK(said.find("secret") == std::string::npos);
  v1::Caller caller;
  REQUIRE(caller.ParseFromString(said));
  CHECK(caller.origin() == "gateway");
  CHECK(caller.actor() == "token:2bb80d53");
  CHECK(caller.client() == "127.0.0.1");
  CHECK(caller.on_behalf_of() == std::string(199, 'a'));
  CHECK(caller.request_id().empty());
}
