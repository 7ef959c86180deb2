// The parts of the gateway that need no socket.
#include <unistd.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "api_gateway/json_text.h"
#include "api_gateway/options.h"
#include "api_gateway/plugin_json.h"
#include "api_gateway/query.h"
#include "api_gateway/reason_status.h"
#include "api_gateway/reply.h"
#include "api_gateway/request_body.h"
#include "api_gateway/router.h"
#include "api_gateway/url.h"

using namespace gateway;
using supervisor::make_failure;
namespace v1 = plugin_supervisor::v1;
namespace json = boost::json;

namespace {

json::object parsed(const std::string& text) { return json::parse(text).as_object(); }

std::string message_of(const supervisor::Failure& failure) { return failure.message(); }

}  // namespace

TEST_CASE("every route answers with and without its trailing slash") {
  const std::pair<std::string, Endpoint> routes[] = {
      {"/api/plugins/plugins", Endpoint::plugins},
      {"/api/plugins/plugins/reload", Endpoint::reload},
      {"/api/plugins/plugins/k/run", Endpoint::run},
      {"/api/plugins/plugins/k/settings", Endpoint::settings},
      {"/api/plugins/plugins/k/enabled", Endpoint::enabled},
      {"/api/plugins/plugins/k/logo", Endpoint::logo},
      {"/api/plugins/plugins/k/ui/resource", Endpoint::resource},
      {"/api/supervisor/workers/k/options", Endpoint::options},
      {"/api/supervisor/jobs/k", Endpoint::job},
      {"/api/supervisor/audit", Endpoint::audit},
      {"/healthz", Endpoint::healthz},
      {"/readyz", Endpoint::readyz},
  };
  for (const auto& [path, endpoint] : routes) {
    CAPTURE(path);
    CHECK(route_of(path).endpoint == endpoint);
    CHECK(route_of(path + "/").endpoint == endpoint);
    CHECK(route_of(path + "//").endpoint == Endpoint::none);
    CHECK_FALSE(rules_of(endpoint).allow.empty());
  }
}

TEST_CASE("a path that is no route is none") {
  for (const auto* path :
       {"", "/", "/api", "/api/plugins", "/api/plugins/plugins/k", "/api/plugins/plugins/k/run/x",
        "/api/plugins/plugins//run", "/api/plugins/plugins/k/fly", "/HEALTHZ", "healthz"}) {
    CAPTURE(path);
    CHECK(route_of(path).endpoint == Endpoint::none);
  }
}

TEST_CASE("the key of a path is decoded after the path is cut") {
  CHECK(route_of("/api/plugins/plugins/a%20b/run/").key == "a b");
  CHECK(route_of("/api/plugins/plugins/a%2Frun/run/").key == "a/run");
  CHECK(route_of("/api/plugins/plugins/%C3%A9/run/").key == "é");
  CHECK(route_of("/api/plugins/plugins/reload/run/").key == "reload");
}

TEST_CASE("a key that is no text makes the path malformed") {
  for (const auto* key : {"%", "%4", "%zz", "%ff", "%00", "%ED%A0%80", "%C0%AF", "a%F5%80%80%80"}) {
    CAPTURE(key);
    CHECK(route_of("/api/plugins/plugins/" + std::string(key) + "/run/").endpoint ==
          Endpoint::malformed);
  }
}

TEST_CASE("the path is found in any form of request target") {
  CHECK(path_of("/a/b?c=/d#e") == "/a/b");
  CHECK(path_of("http://host:1/a?b") == "/a");
  CHECK(path_of("http://host") == "/");
  CHECK(path_of("*") == "*");
}

TEST_CASE("a key survives encoding and decoding") {
  const std::string key = "a b/é%-_.~?";
  CHECK(percent_encode(key) == "a%20b%2F%C3%A9%25-_.~%3F");
  CHECK(percent_decode(percent_encode(key)) == key);
}

TEST_CASE("every reason has a status") {
  const auto* reasons = v1::Reason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<v1::Reason>(reasons->value(i)->number());
    CAPTURE(reasons->value(i)->name());
    if (reason != v1::REASON_UNSPECIFIED) CHECK(has_status(reason));
  }
  CHECK(status_of(static_cast<v1::Reason>(9999)).code == 500);
}

TEST_CASE("reasons have the statuses of the contract") {
  CHECK(status_of(v1::REASON_PLUGIN_NOT_FOUND).code == 404);
  CHECK(status_of(v1::REASON_PLUGIN_DISABLED).code == 403);
  CHECK(status_of(v1::REASON_PLUGIN_RAISED).code == 500);
  CHECK(status_of(v1::REASON_NOT_LOADED).code == 500);
  CHECK(status_of(v1::REASON_QUEUE_FULL).code == 429);
  CHECK(status_of(v1::REASON_WORKER_KILLED_BY_SIGNAL).code == 502);
  CHECK(status_of(v1::REASON_QUARANTINED).code == 503);
  CHECK(status_of(v1::REASON_DEADLINE_EXCEEDED).code == 504);
}

TEST_CASE("params reach the plugin as the bytes the client sent") {
  const std::string body =
      R"({"action":"a\u0062", "params": {"n": 123456789012345678901234567890,"b":1.50} })";
  const auto call = parse_run(body);
  REQUIRE(call.has_value());
  CHECK(call->name == "ab");
  CHECK(call->params == R"({"n": 123456789012345678901234567890,"b":1.50})");
}

TEST_CASE("params that say nothing are the same as none") {
  for (const auto* params : {"null", "[]", "[ ]", "\"\"", "0", "false"}) {
    CAPTURE(params);
    const std::string body = R"({"action":"a","params":)" + std::string(params) + "}";
    const auto call = parse_run(body);
    REQUIRE(call.has_value());
    CHECK(call->params.empty());
  }
  CHECK(parse_run(R"({"action":"a","params":[1]})").has_error());
  CHECK(parse_run(R"({"action":"a","params":"x"})").has_error());
}

TEST_CASE("a call without an action is told what is missing") {
  for (const auto* body : {"", "  ", "{}", R"({"action":null})", R"({"action":""})"}) {
    CAPTURE(body);
    const auto call = parse_run(body);
    REQUIRE(call.has_error());
    CHECK(message_of(call.error()) == "Missing 'action'");
    CHECK(call.error().reason() == v1::REASON_INVALID_REQUEST);
  }
  CHECK(message_of(parse_resource("{}").error()) == "Missing 'resource'");
  CHECK(message_of(parse_run(R"({"action":7})").error()) == "'action' must be a string.");
}

TEST_CASE("a body that is not a JSON object is refused with the reason") {
  CHECK(message_of(parse_run("{\"action\":").error()).find("not JSON") != std::string::npos);
  CHECK(message_of(parse_run("[1]").error()) == "The body must be a JSON object.");
  CHECK(parse_settings("{\"settings\":{}} x").has_error());
}

TEST_CASE("enabled takes what the host takes for a boolean, and nothing else") {
  const auto value_of = [](const std::string& value) {
    return parse_enabled("{\"enabled\":" + value + "}");
  };
  for (const auto* yes : {"true", "1", "\"true\"", "\" YES \"", "\"y\"", "\"On\"", "\"1\""}) {
    CAPTURE(yes);
    REQUIRE(value_of(yes).has_value());
    CHECK(value_of(yes)->enabled);
    CHECK_FALSE(value_of(yes)->grant_asked);
  }
  for (const auto* no : {"false", "0", "\"false\"", "\"No\"", "\"n\"", "\"off\"", "\"0\""}) {
    CAPTURE(no);
    REQUIRE(value_of(no).has_value());
    CHECK_FALSE(value_of(no)->enabled);
  }
  for (const auto* neither : {"2", "1.0", "\"\"", "\"maybe\"", "[]", "{}"}) {
    CAPTURE(neither);
    REQUIRE(value_of(neither).has_error());
    CHECK(message_of(value_of(neither).error()) == "Invalid 'enabled' boolean");
  }
  CHECK(message_of(value_of("null").error()) == "Missing 'enabled' boolean");
  CHECK(message_of(parse_enabled("").error()) == "Missing 'enabled' boolean");
}

TEST_CASE("enabling may grant what is asked, and nothing else") {
  CHECK(parse_enabled(R"({"enabled":true,"grant":"asked"})")->grant_asked);
  CHECK_FALSE(parse_enabled(R"({"enabled":true,"grant":null})")->grant_asked);
  for (const auto* grant : {"true", "\"all\"", "{}", "\"\""}) {
    CAPTURE(grant);
    CHECK(parse_enabled(std::string(R"({"enabled":true,"grant":)") + grant + "}").has_error());
  }
}

TEST_CASE("settings must be there and be an object") {
  CHECK(*parse_settings(R"({"settings": {"b":1, "a":2}})") == R"({"b":1, "a":2})");
  CHECK(parse_settings("{}").has_error());
  CHECK(parse_settings(R"({"settings":[]})").has_error());
  CHECK(parse_settings(R"({"settings":null})").has_error());
}

TEST_CASE("JSON is known by its content type") {
  CHECK(is_json_type(""));
  CHECK(is_json_type("application/json"));
  CHECK(is_json_type("Application/JSON; charset=utf-8"));
  CHECK(is_json_type("application/merge-patch+json"));
  CHECK_FALSE(is_json_type("application/x-www-form-urlencoded"));
  CHECK_FALSE(is_json_type("text/json-ish"));
}

TEST_CASE("passwords among the settings are shown to admins alone") {
  v1::Plugin plugin;
  plugin.mutable_metadata()->set_fields_json(R"([{"id":"w","input_type":"password"}])");
  plugin.set_settings_json(R"({"w":"secret","big":12345678901234567890123})");
  const auto shown = [&plugin](Secrets secrets) {
    std::string text;
    append_plugin(text, plugin, "example.org", secrets);
    return text;
  };
  CHECK_THAT(shown(Secrets::shown), Catch::Contains(R"("w":"secret")"));
  CHECK_THAT(shown(Secrets::masked),
             Catch::Contains(R"({"w":"********","big":12345678901234567890123})"));
}

TEST_CASE("a plugin shows every key of the contract, and only what is known") {
  v1::Plugin plugin;
  plugin.set_key("my \"plug\"");
  plugin.set_ever_enabled(true);
  plugin.mutable_metadata()->set_fields_json(R"([{"id":"n","default":12345678901234567890123}])");
  plugin.mutable_permissions()->mutable_asked()->add_exec("ffmpeg");
  plugin.set_has_logo(true);
  plugin.set_last_reload_unix_ms(1767322805007);
  *plugin.mutable_load_error() =
      make_failure(v1::REASON_IMPORT_FAILED, "import", "no module", "install it", "my_plug");
  plugin.mutable_worker()->set_state(v1::PLUGIN_STATE_LOAD_FAILED);
  *plugin.mutable_worker()->mutable_failure() = plugin.load_error();
  std::string text;
  append_plugin(text, plugin, "example.org:8080", Secrets::shown);

  const auto object = parsed(text);
  for (const auto* key : {"key",
                          "name",
                          "version",
                          "description",
                          "author",
                          "help_url",
                          "enabled",
                          "ever_enabled",
                          "fields",
                          "settings",
                          "actions",
                          "ui_schema",
                          "navigation",
                          "pages",
                          "missing",
                          "trusted",
                          "loaded",
                          "legacy",
                          "logo_url",
                          "source_repo",
                          "source_repo_name",
                          "is_official_repo",
                          "slug",
                          "is_managed",
                          "installed_version_is_prerelease",
                          "update_available",
                          "latest_version",
                          "deprecated",
                          "permissions",
                          "load_error",
                          "last_reload",
                          "worker"}) {
    CAPTURE(key);
    CHECK(object.contains(key));
  }
  CHECK(text.find("12345678901234567890123") != std::string::npos);
  CHECK(object.at("trusted").as_bool());
  CHECK(object.at("settings").as_object().empty());
  CHECK(object.at("source_repo").is_null());
  CHECK(object.at("logo_url").as_string() ==
        "http://example.org:8080/api/plugins/plugins/my%20%22plug%22/logo/");
  CHECK(object.at("last_reload").as_string() == "2026-01-02T03:00:05.007Z");
  CHECK(object.at("permissions").at("granted").is_null());
  CHECK(object.at("permissions").at("asked").at("exec").as_array().size() == 1);
  CHECK(object.at("permissions").at("effective").as_object().empty());
  CHECK(object.at("load_error").at("code").as_string() == "import_failed");
  CHECK(object.at("load_error").at("hint").as_string() == "install it");
  const auto& worker = object.at("worker").as_object();
  CHECK(worker.at("state").as_string() == "load_failed");
  CHECK(worker.at("reason").as_string() == "import_failed");
  CHECK(worker.at("pid").is_null());
  CHECK(worker.at("started_at").is_null());
}

TEST_CASE("an error body tells who, where, why and what to do") {
  auto failure =
      make_failure(v1::REASON_WORKER_KILLED_BY_SIGNAL, "run", "It died.", "Look.", "my_plug");
  failure.set_signal("SIGSEGV");
  failure.add_evidence("a \"quoted\"\nline");
  const auto object = parsed(error_json(failure));
  CHECK_FALSE(object.at("success").as_bool());
  CHECK(object.at("error").as_string() == "It died. Look.");
  CHECK(object.at("code").as_string() == "worker_killed_by_signal");
  CHECK(object.at("step").as_string() == "run");
  CHECK(object.at("plugin").as_string() == "my_plug");
  CHECK(object.at("signal").as_string() == "SIGSEGV");
  CHECK(object.at("evidence").at(0).as_string() == "a \"quoted\"\nline");
  CHECK_FALSE(object.contains("exit_code"));
  CHECK(parsed(error_json(make_failure(v1::REASON_WORKER_EXITED, "run", "x")))
            .at("exit_code")
            .as_int64() == 0);
}

TEST_CASE("a reply that may be tried again says when") {
  const Reply full = reply_to(make_failure(v1::REASON_QUEUE_FULL, "run", "full"));
  CHECK(full.status == 429);
  CHECK(head_of(full, true, "now").find("\r\nRetry-After: 1\r\n") != std::string::npos);
  CHECK(head_of(full, false, "now").find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(head_of(full, true, "now").starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
}

TEST_CASE("text of ours is escaped, numbers that JSON lacks are not written") {
  std::string text;
  {
    ObjectWriter object(text);
    object.text("t", std::string("\"\\\n\0", 4));
    object.real("r", 1.5);
    object.real("nan", std::numeric_limits<double>::quiet_NaN());
  }
  const auto object = parsed(text);
  CHECK(object.at("t").as_string() == json::string_view("\"\\\n\0", 4));
  CHECK(object.at("r").as_double() == 1.5);
  CHECK(object.at("nan").to_number<double>() == 0.0);
}

TEST_CASE("an address to listen on is split, or refused") {
  CHECK(split_listen("127.0.0.1:80")->host == "127.0.0.1");
  CHECK(split_listen("[::1]:0")->host == "::1");
  CHECK(split_listen("localhost:65535")->port == "65535");
  for (const auto* wrong :
       {"", ":80", "host", "host:", "host:65536", "host:8a", "::1:80", "[::1:80"}) {
    CAPTURE(wrong);
    CHECK_FALSE(split_listen(wrong));
  }
}

TEST_CASE("options are read with their units") {
  const char* arguments[] = {"plugin-gateway",
                             "--supervisor-socket",
                             "/s",
                             "--token-file",
                             "/t",
                             "--idle-timeout",
                             "250ms",
                             "--drain-timeout",
                             "2m",
                             "--max-body-bytes",
                             "1kb",
                             "--request-timeout",
                             "3"};
  const auto parsed_options = parse_options(std::size(arguments), arguments);
  REQUIRE(parsed_options.options);
  CHECK(parsed_options.options->limits.idle_time == std::chrono::milliseconds(250));
  CHECK(parsed_options.options->drain_timeout == std::chrono::minutes(2));
  CHECK(parsed_options.options->request_timeout == std::chrono::seconds(3));
  CHECK(parsed_options.options->limits.body_bytes == 1024);
}

TEST_CASE("a token file holds one token and nothing else") {
  std::string path = (std::filesystem::temp_directory_path() / "token_XXXXXX").string();
  ::close(::mkstemp(path.data()));
  const auto content = [&path](const std::string& text) {
    std::ofstream(path, std::ios::trunc) << text;
    return read_token(path);
  };
  CHECK(content("secret\n") == "secret");
  CHECK_THROWS_WITH(content(" \n"), Catch::Contains("holds no token"));
  CHECK_THROWS_WITH(content("a\nb\n"), Catch::Contains("more than one"));
  std::filesystem::remove(path);
  CHECK_THROWS_WITH(read_token(path), Catch::Contains(path));
}

TEST_CASE("a query is taken apart and decoded") {
  const gateway::Query query("/path?tail=20&job=a%20b+c&empty=&flag&tail=30&bad=%zz#x=1");
  CHECK(query.text("job") == "a b c");
  CHECK(query.text("empty") == "");
  CHECK(query.text("flag") == "");
  CHECK(!query.text("bad"));
  CHECK(!query.text("x"));
  CHECK(query.number("tail", 5, 100).value() == 30);
  CHECK(query.number("other", 5, 100).value() == 5);
  CHECK(query.number("tail", 5, 29).has_error());
  CHECK(query.number("job", 5, 29).has_error());
  CHECK(!gateway::Query("/path").text("tail"));
}
