#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "supervisor/catalog/json_document.h"
#include "supervisor/catalog/metadata_rules.h"

using namespace supervisor;
using namespace supervisor::catalog;

namespace {

using Warnings = std::vector<std::string>;

boost::json::value parsed(std::string_view text) {
  auto document = parse_document(text);
  REQUIRE(document.value);
  return *document.value;
}

struct Told {
  v1::PluginMetadata metadata;
  Warnings warnings;
};

Told told_by(std::string_view manifest) {
  Told told;
  metadata_from_json(parsed(manifest).as_object(), told.metadata, told.warnings);
  return told;
}

std::string fields(std::string_view text, Warnings& warnings) {
  return valid_fields(text, warnings);
}

// True when exactly one warning was given, and it holds every one of `parts`.
bool only_warning_has(const Warnings& warnings, std::initializer_list<std::string> parts) {
  if (warnings.size() != 1) return false;
  for (const auto& part : parts)
    if (warnings[0].find(part) == std::string::npos) return false;
  return true;
}

}  // namespace

TEST_CASE("a manifest fills every part of the metadata") {
  const auto [metadata, warnings] = told_by(R"({
    "name": "My Plugin", "version": "1.0", "description": "Does", "author": "We",
    "help_url": "https://example.com/x",
    "fields": [{"id": "limit", "type": "number", "default": 5}],
    "actions": [{"id": "go", "label": "Go"}],
    "ui": {"version": 1}, "navigation": {"label": "Mine", "badge": 5},
    "pages": {"main": {"title": "T"}}, "permissions": {"exec": ["ffmpeg"]}})");
  CHECK(warnings.empty());
  CHECK(metadata.name() == "My Plugin");
  CHECK(metadata.version() == "1.0");
  CHECK(metadata.description() == "Does");
  CHECK(metadata.author() == "We");
  CHECK(metadata.help_url() == "https://example.com/x");
  CHECK(metadata.fields_json() == R"([{"id":"limit","type":"number","default":5}])");
  CHECK(metadata.actions_json() == R"([{"id":"go","label":"Go"}])");
  CHECK(metadata.ui_schema_json() == R"({"version":1})");
  CHECK(metadata.navigation_json() == R"({"label":"Mine","badge":5})");
  CHECK(metadata.pages_json() == R"({"main":{"title":"T"}})");
  CHECK(metadata.permissions_json() == R"({"exec":["ffmpeg"]})");
}

TEST_CASE("an empty manifest gives empty metadata without warnings") {
  const auto [metadata, warnings] = told_by("{}");
  CHECK(warnings.empty());
  CHECK(metadata.ByteSizeLong() == 0);
}

TEST_CASE("members of another type than expected are left out and named") {
  const auto [metadata, warnings] = told_by(
      R"({"name": 7, "description": ["x"], "fields": {"a": 1}, "actions": "go",
          "ui": [], "navigation": "yes", "pages": [1], "permissions": 3})");
  CHECK(metadata.name().empty());
  CHECK(metadata.description().empty());
  CHECK(metadata.fields_json() == "[]");
  CHECK(metadata.actions_json() == "[]");
  CHECK(metadata.ui_schema_json().empty());
  CHECK(metadata.navigation_json().empty());
  CHECK(metadata.pages_json().empty());
  // What is asked is not made less by a mistake; see sandbox/permissions.h.
  CHECK(metadata.permissions_json() == "3");
  CHECK(warnings.size() == 7);
  CHECK(warnings[0] == "name ignored: expected text, got a number");
}

TEST_CASE("null members count as absent") {
  const auto [metadata, warnings] =
      told_by(R"({"name": null, "fields": null, "navigation": null, "ui": null})");
  CHECK(warnings.empty());
  CHECK(metadata.navigation_json().empty());
}

TEST_CASE("a version written as a number is taken as text") {
  CHECK(told_by(R"({"version": 1.2})").metadata.version() == "1.2");
  CHECK(told_by(R"({"version": 3})").metadata.version() == "3");
  CHECK(told_by(R"({"version": 1.2})").warnings.empty());
}

TEST_CASE("text that no database column takes is cut or refused") {
  const std::string umlauts = [] {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "ü";
    return text;
  }();
  const auto cut = told_by("{\"name\": \"" + umlauts + "\"}");
  CHECK(cut.metadata.name() == umlauts.substr(0, 510));
  CHECK(only_warning_has(cut.warnings, {"name", "255"}));
  const auto nul = told_by(R"({"name": "a\u0000b"})");
  CHECK(nul.metadata.name().empty());
  CHECK(only_warning_has(nul.warnings, {"name", "NUL"}));
}

TEST_CASE("a help link that is a script is refused, a web address is kept") {
  CHECK(told_by(R"({"help_url": "HTTPS://x.example/a:b"})").warnings.empty());
  CHECK(told_by(R"({"help_url": "/docs/a:b"})").metadata.help_url() == "/docs/a:b");
  const auto told = told_by(R"j({"help_url": "JavaScript:alert(1)"})j");
  CHECK(told.metadata.help_url().empty());
  CHECK(only_warning_has(told.warnings, {"help_url", "JavaScript:alert(1)"}));
}

TEST_CASE("navigation may be false, true or an object") {
  CHECK(told_by(R"({"navigation": false})").metadata.navigation_json().empty());
  CHECK(told_by(R"({"navigation": false})").warnings.empty());
  CHECK(told_by(R"({"name": "N", "navigation": true})").metadata.navigation_json() ==
        R"({"label":"N"})");
  CHECK(told_by(R"({"name": "N", "navigation": {"icon": "x"}})").metadata.navigation_json() ==
        R"({"icon":"x","label":"N"})");
}

TEST_CASE("ui and ui_schema mean the same") {
  CHECK(told_by(R"({"ui_schema": {"a": 1}})").metadata.ui_schema_json() == R"({"a":1})");
  CHECK(told_by(R"({"ui": null, "ui_schema": {"a": 1}})").metadata.ui_schema_json() ==
        R"({"a":1})");
}

TEST_CASE("an invalid field is dropped with a warning that names it, the rest stay") {
  Warnings warnings;
  CHECK(fields(R"([{"id": "a", "type": "string"},
                   {"type": "string"},
                   {"id": "  ", "type": "string"},
                   {"id": "c"},
                   {"id": "d", "type": "colour"},
                   {"id": "e", "type": 5},
                   17,
                   {"id": "f", "type": "select", "options": [{"value": 1}]},
                   {"id": "g", "type": "select", "options": "a,b"},
                   {"id": "h", "type": "boolean"}])",
               warnings) == R"([{"id":"a","type":"string"},{"id":"h","type":"boolean"}])");
  CHECK(warnings == Warnings{"fields[1]: no id", "fields[2] ('  '): no id",
                             "fields[3] ('c'): no type", "fields[4] ('d'): unknown type 'colour'",
                             "fields[5] ('e'): type must be text, got a number",
                             "fields[6]: expected an object, got a number",
                             "fields[7] ('f'): options[0] is not {value, label}",
                             "fields[8] ('g'): options must be a list, got text"});
}

TEST_CASE("the types of the standard and of the UI schema are known in any spelling") {
  for (const auto* type :
       {"boolean",  "number",   "string",       "text",        "select",   "info",
        "password", "textarea", "multi_select", "multiSelect", "datetime", "date-time",
        "color",    "json",     "file",         "email",       "checkbox", "switch",
        "radio",    "slider",   "rangeSlider",  "tags"}) {
    Warnings warnings;
    const auto field = std::string(R"([{"id":"x","type":")") + type + R"(","options":[]}])";
    CHECK(fields(field, warnings) == field);
    CHECK(warnings.empty());
  }
}

TEST_CASE("unknown keys, the order of keys and nested values pass through") {
  Warnings warnings;
  const std::string text =
      R"([{"x-mine":{"z":[1,{"y":null}],"a":"\u00fc"},"id":"a","type":"number","default":[{}]}])";
  CHECK(fields(text, warnings) ==
        R"([{"x-mine":{"z":[1,{"y":null}],"a":"ü"},"id":"a","type":"number","default":[{}]}])");
  CHECK(warnings.empty());
}

TEST_CASE("numbers come out as they went in") {
  Warnings warnings;
  const std::string text =
      R"([{"id":"a","type":"number","default":9223372036854775807,"max":18446744073709551615,)"
      R"("min":-9223372036854775808,"step":0.1,"extra":[5.0,884.6427272727273,1e+300,-0.0,2.5]}])";
  CHECK(fields(text, warnings) == text);
  CHECK(warnings.empty());
}

TEST_CASE("doubles survive reading and writing bit for bit") {
  std::uint64_t state = 88172645463325252u;
  for (int i = 0; i < 20000; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const double number = static_cast<double>(state % 100000000000000000u) / 1e13;
    const auto text = write_document(number);
    REQUIRE(parsed(text).as_double() == number);
  }
}

TEST_CASE("a number beyond the range of a double is refused, one close to zero is not") {
  CHECK_FALSE(parse_document("[1e999]").value);
  CHECK_FALSE(parse_document("1" + std::string(400, '0')).value);
  CHECK(parsed("1e-999").as_double() == 0);
  CHECK(parsed("12345678901234567890123").as_double() == 12345678901234567890123.0);
}

TEST_CASE("optional keys of the wrong type are dropped, the field stays") {
  Warnings warnings;
  CHECK(fields(R"([{"id": "a", "type": "number", "label": {}, "min": "1", "required": "yes",
                    "step": null, "section": "S", "max_length": 5}])",
               warnings) == R"([{"id":"a","type":"number","section":"S","max_length":5}])");
  CHECK(warnings.size() == 3);
}

TEST_CASE("an id that is a whole number becomes text") {
  Warnings warnings;
  CHECK(fields(R"([{"id":7,"type":"string"}])", warnings) == R"([{"id":"7","type":"string"}])");
}

TEST_CASE("fields that are not a list of anything give an empty list and a warning") {
  for (const auto* text : {"{}", "7", "\"x\"", "null", "[", "[1,]"}) {
    Warnings warnings;
    CHECK(valid_fields(text, warnings) == "[]");
    CHECK(warnings.size() == 1);
    CHECK(valid_actions(text, warnings) == "[]");
    CHECK(warnings.size() == 2);
  }
  Warnings warnings;
  CHECK(valid_fields("", warnings) == "[]");
  CHECK(warnings.empty());
}

TEST_CASE("the number of warnings is bounded") {
  Warnings warnings;
  std::string many = "[0";
  for (int i = 0; i < 10000; ++i) many += ",0";
  CHECK(valid_fields(many + "]", warnings) == "[]");
  CHECK(warnings.size() == 51);
  CHECK(warnings.back().find("not listed") != std::string::npos);
}

TEST_CASE("an action keeps its keys and gets its id as the label it lacks") {
  Warnings warnings;
  const std::string full =
      R"([{"id":"go","label":"Go","description":"d","confirm":true,"button_label":"b",)"
      R"("button_variant":"filled","button_color":"blue","events":["channel_start"],)"
      R"("running_label":"r","variant":"v","color":"c","size":"s","success_message":"y",)"
      R"("error_message":"n","params":{"a":1},"download":{"filename":"f"},"own":1}])";
  CHECK(valid_actions(full, warnings) == full);
  CHECK(warnings.empty());
  CHECK(valid_actions(R"([{"id":"go"}])", warnings) == R"([{"id":"go","label":"go"}])");
  CHECK(only_warning_has(warnings, {"actions[0] ('go')", "label"}));
  // With as many keys as it has room for, and an id that is on the heap.
  const std::string id(100, 'x');
  warnings.clear();
  CHECK(valid_actions(R"([{"id":")" + id + R"(","a":1,"b":2}])", warnings) ==
        R"([{"id":")" + id + R"(","a":1,"b":2,"label":")" + id + R"("}])");
}

TEST_CASE("confirm is a boolean or an object, and anything else asks when in doubt") {
  Warnings warnings;
  const std::string object =
      R"([{"id":"a","label":"A","confirm":{"required":true,"title":"T","message":"M"}}])";
  CHECK(valid_actions(object, warnings) == object);
  CHECK(warnings.empty());
  CHECK(valid_actions(R"([{"id":"a","label":"A","confirm":"Sure?"}])", warnings) ==
        R"([{"id":"a","label":"A","confirm":true}])");
  CHECK(warnings.size() == 1);
  CHECK(valid_actions(R"([{"id":"a","label":"A","confirm":0}])", warnings) ==
        R"([{"id":"a","label":"A","confirm":false}])");
  CHECK(valid_actions(R"([{"id":"a","label":"A","confirm":null}])", warnings) ==
        R"([{"id":"a","label":"A"}])");
  CHECK(valid_actions(R"([{"id":"a","label":"A","confirm":{"title":7,"message":{}}}])", warnings) ==
        R"([{"id":"a","label":"A","confirm":{"title":7}}])");
}

TEST_CASE("events that are not a list are ignored, the action stays") {
  Warnings warnings;
  CHECK(valid_actions(R"([{"id":"a","label":"A","events":"channel_start"}])", warnings) ==
        R"([{"id":"a","label":"A"}])");
  CHECK(only_warning_has(warnings, {"actions[0] ('a')", "events", "a list"}));
  warnings.clear();
  CHECK(valid_actions(R"([{"id":"a","label":"A","events":["x",5]}])", warnings) ==
        R"([{"id":"a","label":"A","events":["x"]}])");
  CHECK(warnings.size() == 1);
}

TEST_CASE("settings that fit their fields give no warnings") {
  const auto* definitions = R"([
    {"id":"n","type":"number","min":0,"max":10},{"id":"b","type":"boolean"},
    {"id":"s","type":"string","max_length":3},{"id":"i","type":"info"},
    {"id":"c","type":"select","options":[{"value":1,"label":"One"},{"value":"x","label":"X"}]},
    {"id":"t","type":"tags"},{"id":"j","type":"json"}])";
  CHECK(settings_warnings(R"({"n":5,"b":true,"s":"üüü","c":"1","t":[],"j":{"a":1},"i":9,
                              "unknown":{}})",
                          definitions)
            .empty());
  CHECK(settings_warnings(R"({"n":null,"c":"x"})", definitions).empty());
  CHECK(settings_warnings("", definitions).empty());
  CHECK(settings_warnings("{}", "").empty());
}

TEST_CASE("a setting that does not fit its field is named with what was expected") {
  const auto* definitions = R"([
    {"id":"limit","type":"number","min":0,"max":10.5},{"id":"b","type":"boolean"},
    {"id":"s","type":"string","required":true},{"id":"t","type":"text","max_length":2},
    {"id":"c","type":"select","options":[{"value":"x","label":"X"}]}])";
  CHECK(settings_warnings(R"({"limit":"5","b":1,"s":"","t":"abc","c":"y"})", definitions) ==
        Warnings{"limit: expected a number, got a string", "b: expected a boolean, got a number",
                 "s: required, but empty", "t: longer than 2 characters",
                 "c: 'y' is not one of its options"});
  CHECK(settings_warnings(R"({"limit":11})", definitions) ==
        Warnings{"limit: 11 is more than 10.5"});
  CHECK(settings_warnings(R"({"limit":-1})", definitions) == Warnings{"limit: -1 is less than 0"});
  CHECK(settings_warnings("[]", definitions) == Warnings{"settings: expected an object"});
}
