#include "supervisor/catalog/catalog.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <map>
#include <set>

#include "supervisor/catalog/utf8.h"

using namespace supervisor;
using namespace supervisor::catalog;
namespace fs = std::filesystem;

namespace {

// A plugin directory that is gone after the test.
class Plugins {
 public:
  Plugins() {
    std::string pattern = (fs::temp_directory_path() / "catalog_test_XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~Plugins() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  Plugins(const Plugins&) = delete;
  Plugins& operator=(const Plugins&) = delete;

  [[nodiscard]] const fs::path& root() const { return root_; }

  void file(const fs::path& name, std::string_view content) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << content;
  }
  void plugin(const std::string& folder, std::string_view manifest = "") const {
    file(fs::path(folder) / "plugin.py", "class Plugin: pass\n");
    if (!manifest.empty()) file(fs::path(folder) / "plugin.json", manifest);
  }
  void link(const fs::path& target, const fs::path& name) const {
    fs::create_symlink(target, root_ / name);
  }

  [[nodiscard]] std::vector<CatalogEntry> scanned(const CatalogLimits& limits = {}) const {
    auto outcome = scan(root_, limits);
    REQUIRE(outcome.has_value());
    return outcome.value();
  }
  // The only entry.
  [[nodiscard]] CatalogEntry only(const CatalogLimits& limits = {}) const {
    auto entries = scanned(limits);
    REQUIRE(entries.size() == 1);
    return entries[0];
  }

 private:
  fs::path root_;
};

std::vector<std::string> keys(const std::vector<CatalogEntry>& entries) {
  std::vector<std::string> result;
  result.reserve(entries.size());
  for (const auto& entry : entries) result.push_back(entry.key);
  return result;
}

v1::Reason reason(const CatalogEntry& entry) {
  return entry.error ? entry.error->reason() : v1::REASON_UNSPECIFIED;
}

bool is_well(const CatalogEntry& entry) { return !entry.error && entry.warnings.empty(); }

}  // namespace

TEST_CASE("a directory with plugin.py or __init__.py is a plugin, others are not") {
  const Plugins plugins;
  plugins.plugin("one");
  plugins.file("two/__init__.py", "");
  plugins.file("three/readme.txt", "");
  plugins.file("plugin.py", "");
  fs::create_directory(plugins.root() / "empty");
  const auto entries = plugins.scanned();
  REQUIRE(keys(entries) == std::vector<std::string>{"one", "two"});
  CHECK(entries[0].has_plugin_py);
  CHECK_FALSE(entries[0].has_package);
  CHECK_FALSE(entries[1].has_plugin_py);
  CHECK(entries[1].has_package);
}

TEST_CASE("hidden names and plain files in the plugin directory are not plugins") {
  const Plugins plugins;
  plugins.plugin(".git");
  plugins.file(".reload_token", "");
  plugins.file("notes.txt", "");
  plugins.link("notes.txt", "link_to_a_file");
  CHECK(plugins.scanned().empty());
}

TEST_CASE("the key is the folder's name in lower case with underscores for spaces") {
  CHECK(key_of_folder("My Plugin") == "my_plugin");
  CHECK(key_of_folder("My Plugin-2") == "my_plugin-2");
  CHECK(key_of_folder("ÄRGER Groß") == "ärger_groß");
  CHECK(key_of_folder("ΟΔΟΣ") == "οδος");
  CHECK(key_of_folder("İ") == "i\u0307");
  CHECK(key_of_folder("日本語") == "日本語");
}

TEST_CASE("plugins come in byte order of their folders' names") {
  const Plugins plugins;
  for (const auto* name : {"b", "B2", "a", "Z", "10", "é"}) plugins.plugin(name);
  CHECK(keys(plugins.scanned()) == std::vector<std::string>{"10", "b2", "z", "a", "b", "é"});
}

TEST_CASE("an entry has an absolute path even when the directory is named relatively") {
  const Plugins plugins;
  plugins.plugin("one");
  const auto before = fs::current_path();
  fs::current_path(plugins.root().parent_path());
  const auto outcome = scan(plugins.root().filename());
  fs::current_path(before);
  REQUIRE(outcome.has_value());
  CHECK(outcome.value().at(0).directory == plugins.root() / "one");
  CHECK(outcome.value().at(0).directory_text == (plugins.root() / "one").string());
}

TEST_CASE("a link to a plugin's directory is a plugin under the link's name") {
  const Plugins elsewhere;
  elsewhere.plugin("real");
  const Plugins plugins;
  plugins.link(elsewhere.root() / "real", "linked");
  const auto entry = plugins.only();
  CHECK(entry.key == "linked");
  CHECK(entry.directory == plugins.root() / "linked");
  CHECK(is_well(entry));
}

TEST_CASE("a valid manifest gives the metadata and makes the plugin not legacy") {
  const Plugins plugins;
  plugins.plugin("x", R"({"name": "X!", "version": "2", "actions": [{"id":"a","label":"A"}]})");
  const auto entry = plugins.only();
  CHECK_FALSE(entry.legacy);
  CHECK(entry.metadata.name() == "X!");
  CHECK(entry.metadata.version() == "2");
  CHECK(entry.metadata.actions_json() == R"([{"id":"a","label":"A"}])");
  CHECK(is_well(entry));
}

TEST_CASE("a plugin without a manifest is legacy and named after its folder") {
  const Plugins plugins;
  plugins.plugin("My Old-One");
  const auto entry = plugins.only();
  CHECK(entry.legacy);
  CHECK(entry.metadata.name() == "My Old-One");
  CHECK(is_well(entry));
}

TEST_CASE("a manifest without a name leaves the folder's name") {
  const Plugins plugins;
  plugins.plugin("Some Folder", R"({"version": "1"})");
  CHECK(plugins.only().metadata.name() == "Some Folder");
}

TEST_CASE("a manifest that is not valid makes the plugin legacy with a warning") {
  for (const auto* manifest : {"{", "[]", "7", "{} x", "\xff\xfe", " ", "{\"a\": NaN}"}) {
    const Plugins plugins;
    plugins.plugin("x", manifest);
    const auto entry = plugins.only();
    CHECK(entry.legacy);
    CHECK_FALSE(entry.error);
    REQUIRE(entry.warnings.size() == 1);
    CHECK(entry.warnings[0].find("plugin.json") == 0);
    CHECK(entry.warnings[0].find("legacy") != std::string::npos);
  }
}

TEST_CASE("an empty manifest file makes the plugin legacy with a warning") {
  const Plugins plugins;
  plugins.plugin("x");
  plugins.file("x/plugin.json", "");
  CHECK(plugins.only().legacy);
  CHECK(plugins.only().warnings.size() == 1);
}

TEST_CASE("a byte order mark before the manifest is skipped") {
  const Plugins plugins;
  plugins.plugin("x", "\xEF\xBB\xBF{\"name\": \"Marked\"}");
  CHECK(plugins.only().metadata.name() == "Marked");
  CHECK(is_well(plugins.only()));
}

TEST_CASE("invalid entries of a manifest are dropped with warnings, the plugin stays") {
  const Plugins plugins;
  plugins.plugin("x", R"({"fields": [{"id": "a", "type": "nope"}, {"id": "b", "type": "text"}]})");
  const auto entry = plugins.only();
  CHECK_FALSE(entry.error);
  CHECK(entry.metadata.fields_json() == R"([{"id":"b","type":"text"}])");
  CHECK(entry.warnings == std::vector<std::string>{"fields[0] ('a'): unknown type 'nope'"});
}

TEST_CASE("a manifest of 100 MB is a clear error and costs no time") {
  const Plugins plugins;
  plugins.plugin("big");
  plugins.plugin("good", R"({"name": "Good"})");
  plugins.file("big/plugin.json", "{}");
  fs::resize_file(plugins.root() / "big/plugin.json", std::uintmax_t{100} << 20);
  const auto start = std::chrono::steady_clock::now();
  const auto entries = plugins.scanned();
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
  REQUIRE(keys(entries) == std::vector<std::string>{"big", "good"});
  CHECK(reason(entries[0]) == v1::REASON_MANIFEST_TOO_LARGE);
  CHECK(entries[0].error->plugin() == "big");
  CHECK(entries[0].legacy);
  CHECK(is_well(entries[1]));
  CHECK(entries[1].metadata.name() == "Good");
}

TEST_CASE("a deeply nested manifest is a clear error") {
  const Plugins plugins;
  plugins.plugin("deep", "{\"a\":" + std::string(200000, '[') + std::string(200000, ']') + "}");
  plugins.plugin("good", R"({"name": "Good"})");
  const auto entries = plugins.scanned();
  REQUIRE(entries.size() == 2);
  CHECK(reason(entries[0]) == v1::REASON_MANIFEST_INVALID);
  CHECK(entries[0].error->message().find("nested deeper than") != std::string::npos);
  CHECK(is_well(entries[1]));
}

TEST_CASE("a manifest that is a FIFO, a device, a socket or a directory is a clear error") {
  const Plugins plugins;
  for (const auto* name : {"device", "directory", "fifo"}) plugins.plugin(name);
  REQUIRE(::mkfifo((plugins.root() / "fifo/plugin.json").c_str(), 0600) == 0);
  plugins.link("/dev/zero", "device/plugin.json");
  fs::create_directory(plugins.root() / "directory/plugin.json");
  plugins.plugin("good", R"({"name": "Good"})");
  const auto entries = plugins.scanned();
  REQUIRE(keys(entries) == std::vector<std::string>{"device", "directory", "fifo", "good"});
  CHECK(entries[0].error->message().find("is a device") != std::string::npos);
  CHECK(entries[1].error->message().find("is a directory") != std::string::npos);
  CHECK(entries[2].error->message().find("is a FIFO") != std::string::npos);
  for (int i = 0; i < 3; ++i)
    CHECK(reason(entries[static_cast<std::size_t>(i)]) == v1::REASON_MANIFEST_INVALID);
  CHECK(is_well(entries[3]));
}

TEST_CASE("a manifest that is a link to nowhere makes the plugin legacy with a warning") {
  const Plugins plugins;
  plugins.plugin("x");
  plugins.link("/nonexistent/file", "x/plugin.json");
  CHECK(plugins.only().legacy);
  CHECK(plugins.only().warnings.size() == 1);
}

TEST_CASE("links that lead nowhere, to themselves or through a file are errors of their own") {
  const Plugins plugins;
  plugins.link("/nonexistent/plugin", "dangling");
  plugins.link("loop_b", "loop_a");
  plugins.link("loop_a", "loop_b");
  plugins.link("self", "self");
  plugins.file("plain", "");
  plugins.link("plain/below", "through_a_file");
  plugins.plugin("good", R"({"name": "Good"})");
  std::map<std::string, CatalogEntry> entries;
  for (auto& entry : plugins.scanned()) entries[entry.key] = entry;
  REQUIRE(entries.size() == 6);
  CHECK(reason(entries["dangling"]) == v1::REASON_DIRECTORY_UNREADABLE);
  CHECK(reason(entries["loop_a"]) == v1::REASON_SYMLINK_LOOP);
  CHECK(reason(entries["loop_b"]) == v1::REASON_SYMLINK_LOOP);
  CHECK(reason(entries["self"]) == v1::REASON_SYMLINK_LOOP);
  CHECK(reason(entries["through_a_file"]) == v1::REASON_DIRECTORY_UNREADABLE);
  CHECK(entries["dangling"].error->message().find("No such file") != std::string::npos);
  CHECK(entries["dangling"].error->plugin() == "dangling");
  CHECK(is_well(entries["good"]));
}

TEST_CASE("a link back to the plugin directory or above it is a loop") {
  const Plugins plugins;
  plugins.file("__init__.py", "");
  plugins.link(".", "here");
  plugins.link(plugins.root(), "here_too");
  plugins.plugin("good", R"({"name": "Good"})");
  const auto entries = plugins.scanned();
  REQUIRE(keys(entries) == std::vector<std::string>{"good", "here", "here_too"});
  CHECK(is_well(entries[0]));
  CHECK(reason(entries[1]) == v1::REASON_SYMLINK_LOOP);
  CHECK(reason(entries[2]) == v1::REASON_SYMLINK_LOOP);
}

TEST_CASE("a link inside a plugin that leads back to it disturbs nothing") {
  const Plugins plugins;
  plugins.plugin("x", R"({"name": "X"})");
  plugins.link(".", "x/again");
  CHECK(is_well(plugins.only()));
}

TEST_CASE("code that is there by name only is a clear error") {
  const Plugins plugins;
  fs::create_directory(plugins.root() / "a");
  plugins.link("nowhere", "a/plugin.py");
  fs::create_directories(plugins.root() / "b" / "__init__.py");
  fs::create_directory(plugins.root() / "c");
  plugins.link("plugin.py", "c/plugin.py");
  const auto entries = plugins.scanned();
  REQUIRE(entries.size() == 3);
  CHECK(reason(entries[0]) == v1::REASON_DIRECTORY_UNREADABLE);
  CHECK(entries[0].error->message().find("plugin.py") != std::string::npos);
  CHECK(entries[1].error->message().find("__init__.py is a directory") != std::string::npos);
  CHECK(reason(entries[2]) == v1::REASON_SYMLINK_LOOP);
}

TEST_CASE("broken code beside good code is only a warning") {
  const Plugins plugins;
  plugins.plugin("x");
  plugins.link("nowhere", "x/__init__.py");
  const auto entry = plugins.only();
  CHECK_FALSE(entry.error);
  CHECK(entry.warnings.size() == 1);
}

TEST_CASE("a directory without permission to read is an error of its own") {
  if (::geteuid() == 0) return;  // Nothing is forbidden to root.
  const Plugins plugins;
  plugins.plugin("locked");
  plugins.plugin("good");
  fs::permissions(plugins.root() / "locked", fs::perms::none);
  const auto entries = plugins.scanned();
  fs::permissions(plugins.root() / "locked", fs::perms::owner_all);
  REQUIRE(keys(entries) == std::vector<std::string>{"good", "locked"});
  CHECK(is_well(entries[0]));
  CHECK(reason(entries[1]) == v1::REASON_DIRECTORY_UNREADABLE);
}

TEST_CASE("a folder name that is not UTF-8 is listed under a key that is, with an error") {
  const Plugins plugins;
  plugins.plugin("Bad\xff\xfeName", R"({"name": "Shown"})");
  plugins.plugin("good", R"({"name": "Good"})");
  const auto entries = plugins.scanned();
  REQUIRE(keys(entries) == std::vector<std::string>{"bad~xff~xfename", "good"});
  CHECK(reason(entries[0]) == v1::REASON_KEY_INVALID);
  CHECK(entries[0].folder_name == "Bad~xff~xfeName");
  CHECK(is_utf8(entries[0].directory_text));
  CHECK(entries[0].error->plugin() == entries[0].key);
  CHECK(entries[0].metadata.name() == "Shown");
  CHECK(is_well(entries[1]));
  CHECK(keys(plugins.scanned()) == keys(entries));
  // All of it can travel in protobuf, which refuses text that is not UTF-8.
  CHECK(is_utf8(entries[0].error->DebugString()));
}

TEST_CASE("surrogates and overlong forms are not UTF-8") {
  CHECK(is_utf8("aü€𝄞"));
  for (const auto* text : {"\xed\xa0\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xf4\x90\x80\x80", "\x80",
                           "\xf8\x88\x80\x80\x80", "a\xc3"})
    CHECK_FALSE(is_utf8(text));
}

TEST_CASE("a folder name with control characters is a clear error") {
  const Plugins plugins;
  plugins.plugin("a\nb");
  const auto entry = plugins.only();
  CHECK(entry.key == "a~x0ab");
  CHECK(reason(entry) == v1::REASON_KEY_INVALID);
}

TEST_CASE("a key longer than 128 characters is a clear error under a shorter key") {
  const Plugins plugins;
  plugins.plugin(std::string(129, 'A'));
  plugins.plugin(std::string(129, 'A') + "b");
  plugins.plugin(std::string(128, 'c'));
  const auto entries = plugins.scanned();
  REQUIRE(entries.size() == 3);
  for (int i = 0; i < 2; ++i) {
    const auto& entry = entries[static_cast<std::size_t>(i)];
    CHECK(reason(entry) == v1::REASON_KEY_INVALID);
    CHECK(entry.key.size() == 128);
    CHECK(entry.key.starts_with("aaaa"));
  }
  CHECK(entries[0].key != entries[1].key);
  CHECK(is_well(entries[2]));
  CHECK(keys(plugins.scanned()) == keys(entries));
}

TEST_CASE("a key of 100 characters of two bytes each is not too long") {
  const Plugins plugins;
  std::string name;
  for (int i = 0; i < 100; ++i) name += "ü";
  plugins.plugin(name);
  CHECK(is_well(plugins.only()));
}

TEST_CASE("of two folders with the same key the first in byte order has it") {
  const Plugins plugins;
  plugins.plugin("my plugin", R"({"name": "B"})");
  plugins.plugin("My Plugin", R"({"name": "A"})");
  plugins.plugin("my_plugin", R"({"name": "C"})");
  plugins.plugin("other");
  const auto entries = plugins.scanned();
  REQUIRE(keys(entries) ==
          std::vector<std::string>{"my_plugin", "my_plugin~2", "my_plugin~3", "other"});
  CHECK(is_well(entries[0]));
  CHECK(entries[0].metadata.name() == "A");
  CHECK(reason(entries[1]) == v1::REASON_KEY_DUPLICATE);
  CHECK(reason(entries[2]) == v1::REASON_KEY_DUPLICATE);
  CHECK(entries[1].error->message().find("'My Plugin'") != std::string::npos);
  CHECK(is_well(entries[3]));
}

TEST_CASE("a broken folder never takes the key of a good one") {
  const Plugins plugins;
  plugins.plugin("A");
  plugins.plugin("a");
  plugins.plugin("a~2");
  plugins.plugin("Bad\xff");
  plugins.plugin("bad~xff");
  std::map<std::string, CatalogEntry> entries;
  for (auto& entry : plugins.scanned()) entries[entry.key] = entry;
  REQUIRE(entries.size() == 5);
  CHECK(is_well(entries["a"]));
  CHECK(is_well(entries["a~2"]));
  CHECK(reason(entries["a~3"]) == v1::REASON_KEY_DUPLICATE);
  CHECK(is_well(entries["bad~xff"]));
  CHECK(reason(entries["bad~xff~2"]) == v1::REASON_KEY_INVALID);
}

TEST_CASE("a plugin directory that cannot be read is a failure of the scan") {
  const Plugins plugins;
  plugins.file("file", "");
  for (const auto* name : {"absent", "file"}) {
    const auto outcome = scan(plugins.root() / name);
    REQUIRE_FALSE(outcome.has_value());
    CHECK(outcome.error().reason() == v1::REASON_DIRECTORY_UNREADABLE);
    CHECK(outcome.error().message().find(name) != std::string::npos);
  }
}

TEST_CASE("a logo is shown when it is a regular file of bearable size") {
  const Plugins plugins;
  for (const auto* name : {"a", "b", "c"}) plugins.plugin(name);
  plugins.file("a/logo.png", "PNG");
  plugins.file("b/logo.png", "much too large");
  fs::create_directory(plugins.root() / "c/logo.png");
  const auto entries = plugins.scanned({.max_logo_bytes = 5});
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].has_logo);
  CHECK_FALSE(entries[1].has_logo);
  CHECK(entries[1].warnings.size() == 1);
  CHECK_FALSE(entries[2].has_logo);
  CHECK(entries[2].warnings.size() == 1);
}

TEST_CASE("the fingerprint changes with each of a plugin's files and with nothing else") {
  const Plugins plugins;
  plugins.plugin("x");
  std::set<std::string> seen{directory_fingerprint(plugins.root())};
  std::set<std::string> seen_of_entry{plugins.only().fingerprint};
  const auto changed = [&] {
    return seen.insert(directory_fingerprint(plugins.root())).second &&
           seen_of_entry.insert(plugins.only().fingerprint).second;
  };
  CHECK_FALSE(changed());
  plugins.file("x/data.txt", "written by the plugin");
  fs::create_directory(plugins.root() / "x/__pycache__");
  CHECK_FALSE(changed());
  plugins.file("x/plugin.json", "{}");
  CHECK(changed());
  plugins.file("x/plugin.py", "class Plugin:\n  name = 'longer'\n");
  CHECK(changed());
  plugins.file("x/__init__.py", "");
  CHECK(changed());
  plugins.file("x/logo.png", "PNG");
  CHECK(changed());
  // Same size and same modification time: a restored backup.
  const auto when = fs::last_write_time(plugins.root() / "x/plugin.json");
  plugins.file("other.json", "[]");
  fs::rename(plugins.root() / "other.json", plugins.root() / "x/plugin.json");
  fs::last_write_time(plugins.root() / "x/plugin.json", when);
  CHECK(changed());
}

TEST_CASE("the fingerprint of the directory changes when a plugin comes, goes or is renamed") {
  const Plugins plugins;
  std::set<std::string> seen{directory_fingerprint(plugins.root())};
  const auto changed = [&] { return seen.insert(directory_fingerprint(plugins.root())).second; };
  plugins.plugin("x");
  CHECK(changed());
  fs::rename(plugins.root() / "x", plugins.root() / "y");
  CHECK(changed());
  plugins.link("nowhere", "z");
  CHECK(changed());
  fs::create_directory(plugins.root() / "empty");
  plugins.file("notes.txt", "");
  CHECK_FALSE(changed());
  fs::remove_all(plugins.root() / "y");
  CHECK(changed());
  CHECK(directory_fingerprint(plugins.root() / "absent").find("unreadable") == 0);
}

TEST_CASE("200 plugins are read and fingerprinted fast") {
  const Plugins plugins;
  for (int i = 0; i < 200; ++i)
    plugins.plugin("plugin " + std::to_string(i),
                   R"({"name": "P", "version": "1", "fields": [
                       {"id": "limit", "label": "L", "type": "number", "default": 5}],
                       "actions": [{"id": "go", "label": "Go", "confirm": true}]})");
  using Clock = std::chrono::steady_clock;
  auto best = [](auto&& work) {
    auto shortest = Clock::duration::max();
    for (int i = 0; i < 5; ++i) {
      const auto start = Clock::now();
      work();
      shortest = std::min(shortest, Clock::now() - start);
    }
    return std::chrono::duration_cast<std::chrono::microseconds>(shortest).count();
  };
  const auto scan_us = best([&] { REQUIRE(plugins.scanned().size() == 200); });
  const auto fingerprint_us = best([&] { directory_fingerprint(plugins.root()); });
  INFO("scan " << scan_us << " us, fingerprint " << fingerprint_us << " us");
  // Ten times what it takes on a slow machine, for builds with sanitizers.
  CHECK(scan_us < 200000);
  CHECK(fingerprint_us < 100000);
}

TEST_CASE("the sample and hostile plugins on disk are all listed without running them") {
  const auto home = fs::path(SOURCE_DIRECTORY) / "tests/plugins";
  const std::set<std::string> with_warnings{"broken_manifest", "events_in", "invalid_entries"};
  for (const auto* folder : {"samples", "hostile", "seed_style"}) {
    const auto outcome = scan(home / folder);
    REQUIRE(outcome.has_value());
    CHECK(outcome.value().size() >= 5);
    for (const auto& entry : outcome.value()) {
      INFO(entry.directory_text);
      CHECK_FALSE(entry.error);
      CHECK(entry.warnings.empty() != with_warnings.contains(entry.key));
      CHECK_FALSE(entry.metadata.name().empty());
    }
  }
}
