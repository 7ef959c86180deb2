#include "supervisor/catalog/legacy_inspector.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "supervisor/catalog/catalog.h"

using namespace supervisor;
using namespace supervisor::catalog;
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

class LegacyPlugin {
 public:
  LegacyPlugin() {
    std::string pattern = (fs::temp_directory_path() / "inspector_test_XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    fs::create_directory(root_ / "old");
  }
  ~LegacyPlugin() { fs::remove_all(root_); }
  LegacyPlugin(const LegacyPlugin&) = delete;
  LegacyPlugin& operator=(const LegacyPlugin&) = delete;

  [[nodiscard]] fs::path path(const std::string& name) const { return root_ / "old" / name; }

  void code(std::string_view text, const std::string& name = "plugin.py") const {
    std::ofstream(path(name), std::ios::binary) << text;
  }

  [[nodiscard]] CatalogEntry entry() const {
    auto entries = scan(root_);
    REQUIRE(entries.has_value());
    REQUIRE(entries.value().size() == 1);
    return entries.value()[0];
  }

  [[nodiscard]] static InspectorOptions options() {
    return {.shim_dir = fs::path(SOURCE_DIRECTORY) / "worker_shim"};
  }

  [[nodiscard]] CatalogEntry inspected(const InspectorOptions& given = options()) const {
    auto result = entry();
    asio::io_context context;
    std::exception_ptr failure;
    asio::co_spawn(context, inspect_legacy(result, given),
                   [&](std::exception_ptr error) { failure = std::move(error); });
    context.run();
    if (failure) std::rethrow_exception(failure);
    return result;
  }

 private:
  fs::path root_;
};

bool warns(const CatalogEntry& entry, const std::string& text) {
  for (const auto& warning : entry.warnings)
    if (warning.find(text) != std::string::npos) return true;
  return false;
}

// Our processes that run, or ended and were not waited for.
std::set<std::string> children() {
  std::set<std::string> result;
  for (const auto& thread : fs::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "children");
    for (std::string pid; file >> pid;) result.insert(pid);
  }
  return result;
}

}  // namespace

TEST_CASE("literal attributes of a legacy plugin are told without running it") {
  const LegacyPlugin plugin;
  const auto trace = plugin.path("was_run");
  plugin.code("open(" + std::string("'") + trace.string() + R"(', 'w').close()
class Plugin:
    name = "Old " "One"
    version: str = "1.2"
    description = """Does
things"""
    author = 'We'
    help_url = "https://example.com"
    fields = [{"id": "limit", "label": "L", "type": "number", "default": -0.1}]
    actions = ({"id": "go", "label": "Go", "events": ("channel_start",)},)
    ui = {"version": 1}
    navigation = {"label": "Old"}
    pages = {"main": {"title": "T", "components": []}}
    secret = "not told"
)");
  const auto entry = plugin.inspected();
  CHECK(entry.warnings.empty());
  CHECK(entry.legacy);
  CHECK(entry.metadata.name() == "Old One");
  CHECK(entry.metadata.version() == "1.2");
  CHECK(entry.metadata.description() == "Does\nthings");
  CHECK(entry.metadata.author() == "We");
  CHECK(entry.metadata.help_url() == "https://example.com");
  CHECK(entry.metadata.fields_json() ==
        R"([{"id":"limit","label":"L","type":"number","default":-0.1}])");
  CHECK(entry.metadata.actions_json() ==
        R"([{"id":"go","label":"Go","events":["channel_start"]}])");
  CHECK(entry.metadata.ui_schema_json() == R"({"version":1})");
  CHECK(entry.metadata.navigation_json() == R"({"label":"Old"})");
  CHECK(entry.metadata.pages_json() == R"({"main":{"title":"T","components":[]}})");
  CHECK_FALSE(fs::exists(trace));
}

TEST_CASE("attributes that only a run can tell are named in a warning") {
  const LegacyPlugin plugin;
  plugin.code(R"(
import os
class Plugin:
    name = "N"
    version = os.environ["X"]
    @property
    def fields(self):
        return []
    def __init__(self):
        self.actions = []
)");
  const auto entry = plugin.inspected();
  CHECK(entry.metadata.name() == "N");
  CHECK(warns(entry, "actions, fields, version"));
}

TEST_CASE("constants, base classes and other names of the class are followed") {
  const LegacyPlugin plugin;
  plugin.code(R"(
VERSION = "3.1"
ACTIONS = [{"id": "go", "label": "Go"}]
LIMIT = 7
class Base:
    author = "We"
    name = "Overridden"
try:
    import whatever
except ImportError:
    class Real(Base):
        name = "Real"
        version = VERSION
        actions = ACTIONS
        fields = [{"id": "l", "type": "number", "default": LIMIT}]
    Plugin = Real
)");
  const auto entry = plugin.inspected();
  CHECK(entry.warnings.empty());
  CHECK(entry.metadata.name() == "Real");
  CHECK(entry.metadata.author() == "We");
  CHECK(entry.metadata.version() == "3.1");
  CHECK(entry.metadata.actions_json() == R"([{"id":"go","label":"Go"}])");
  CHECK(entry.metadata.fields_json() == R"([{"id":"l","type":"number","default":7}])");
}

TEST_CASE("the package is read when plugin.py has no class Plugin") {
  const LegacyPlugin plugin;
  plugin.code("x = 1\n");
  plugin.code("class Plugin:\n    name = 'In the package'\n", "__init__.py");
  const auto entry = plugin.inspected();
  CHECK(entry.metadata.name() == "In the package");
  CHECK(entry.warnings.empty());
}

TEST_CASE("code without a class Plugin keeps the folder's name, with a warning") {
  const LegacyPlugin plugin;
  plugin.code("def run(): pass\n");
  const auto entry = plugin.inspected();
  CHECK(entry.metadata.name() == "old");
  CHECK(warns(entry, "plugin.py has no class Plugin"));
}

TEST_CASE("a syntax error is told with its line") {
  const LegacyPlugin plugin;
  plugin.code("class Plugin:\n    name = 'x\n");
  CHECK(warns(plugin.inspected(), "plugin.py, line 2"));
}

TEST_CASE("source that breaks the parser is only a warning") {
  const std::string deep_unary = "class Plugin:\n    name = " + std::string(500000, '-') + "1\n";
  const std::string deep_list =
      "class Plugin:\n    name = " + std::string(5000, '[') + std::string(5000, ']') + "\n";
  const std::string null_bytes("class Plugin:\n    name = '\0'\n", 29);
  const std::string not_utf8 = "class Plugin:\n    name = '\xff\xfe'\n";
  const std::string odd_coding = "# coding: no-such-thing\nclass Plugin: pass\n";
  for (const auto& source : {deep_unary, deep_list, null_bytes, not_utf8, odd_coding}) {
    const LegacyPlugin plugin;
    plugin.code(source);
    const auto entry = plugin.inspected();
    CHECK(entry.metadata.name() == "old");
    CHECK(entry.warnings.size() == 1);
    CHECK_FALSE(entry.error);
  }
}

TEST_CASE("literals that JSON does not have are computed attributes") {
  const LegacyPlugin plugin;
  plugin.code(R"(
class Plugin:
    name = b"bytes"
    version = 1e999
    description = "lone \ud800 surrogate"
    author = ...
    fields = [)" +
              std::string(60, '[') + std::string(60, ']') + R"(]
    actions = [{"id": 123456789012345678901234567890, "label": "x"}]
    ui = {1: 2, None: 3}
)");
  const auto entry = plugin.inspected();
  CHECK(entry.metadata.description() == "lone ? surrogate");
  CHECK(warns(entry, "actions, author, fields, name, version"));
  CHECK(entry.metadata.ui_schema_json() == R"({"1":2,"null":3})");
}

TEST_CASE("what the syntax tree tells passes the same rules as a manifest") {
  const LegacyPlugin plugin;
  plugin.code("class Plugin:\n    fields = [{'id': 'a', 'type': 'nope'}, {'type': 'text'}]\n");
  const auto entry = plugin.inspected();
  CHECK(entry.metadata.fields_json() == "[]");
  CHECK(entry.warnings ==
        std::vector<std::string>{"fields[0] ('a'): unknown type 'nope'", "fields[1]: no id"});
}

TEST_CASE("attributes of many megabytes are refused, not passed on") {
  const LegacyPlugin plugin;
  plugin.code("class Plugin:\n    name = '" + std::string(3 << 20, 'x') + "'\n");
  CHECK(warns(plugin.inspected(), "more than"));
  plugin.code("class Plugin:\n    name = 'x'\n#" + std::string(5 << 20, 'x'));
  CHECK(warns(plugin.inspected(), "larger than"));
}

TEST_CASE("a plugin that grows in the parser's memory is cut off") {
  const LegacyPlugin plugin;
  // One list, named so often that writing the value out takes gigabytes.
  std::string source = "A = '" + std::string(1000000, 'a') + "'\nclass Plugin:\n    fields = [";
  for (int i = 0; i < 100000; ++i) source += "A,";
  plugin.code(source + "]\n");
  const auto entry = plugin.inspected();
  CHECK_FALSE(entry.warnings.empty());
  CHECK(entry.metadata.fields_json().empty());
}

TEST_CASE("an interpreter that is not there is a warning that names it") {
  const auto before = children();
  const LegacyPlugin plugin;
  plugin.code("class Plugin: pass\n");
  auto options = LegacyPlugin::options();
  options.python = "/nonexistent/python3";
  const auto entry = plugin.inspected(options);
  CHECK(warns(entry, "/nonexistent/python3"));
  CHECK(warns(entry, "No such file"));
  CHECK(children() == before);
}

TEST_CASE("an interpreter that hangs is ended at the deadline") {
  const auto before = children();
  const LegacyPlugin plugin;
  plugin.code("class Plugin: pass\n");
  plugin.code("#!/bin/sh\nexec sleep 1000\n", "python");
  fs::permissions(plugin.path("python"), fs::perms::owner_all);
  auto options = LegacyPlugin::options();
  options.python = plugin.path("python");
  options.deadline = std::chrono::milliseconds(100);
  const auto start = std::chrono::steady_clock::now();
  CHECK(warns(plugin.inspected(options), "longer than 100 ms"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  CHECK(children() == before);
}

TEST_CASE("an interpreter that crashes or fails is named with how it ended") {
  const auto before = children();
  const LegacyPlugin plugin;
  plugin.code("class Plugin: pass\n");
  auto options = LegacyPlugin::options();
  options.python = plugin.path("python");
  plugin.code("#!/bin/sh\nkill -SEGV $$\n", "python");
  fs::permissions(plugin.path("python"), fs::perms::owner_all);
  CHECK(warns(plugin.inspected(options), "SIGSEGV"));
  plugin.code("#!/bin/sh\nexit 7\n", "python");
  CHECK(warns(plugin.inspected(options), "ended with code 7"));
  plugin.code("#!/bin/sh\necho '{\"name\": '\n", "python");
  CHECK(warns(plugin.inspected(options), "gave no answer"));
  CHECK(children() == before);
}

TEST_CASE("an interpreter that writes without end is ended") {
  const auto before = children();
  const LegacyPlugin plugin;
  plugin.code("class Plugin: pass\n");
  plugin.code("#!/bin/sh\nexec yes\n", "python");
  fs::permissions(plugin.path("python"), fs::perms::owner_all);
  auto options = LegacyPlugin::options();
  options.python = plugin.path("python");
  CHECK(warns(plugin.inspected(options), "too long"));
  CHECK(children() == before);
}

TEST_CASE("the interpreter gets limits, no environment and no descriptors of ours") {
  const LegacyPlugin plugin;
  plugin.code("class Plugin: pass\n");
  // Without close-on-exec, and below those that the launch opens.
  const int leaky = ::open("/dev/null", O_RDONLY);
  // It may not write files, so it answers as if it were the name of the plugin.
  plugin.code(
      "#!/bin/bash\n"
      "[ -e /proc/$$/fd/" +
          std::to_string(leaky) +
          " ] && leak=leaked || leak=closed\n"
          "echo \"{\\\"name\\\": \\\"$(ulimit -v) $(ulimit -t) $(ulimit -c) ${HOME-none} "
          "$leak\\\"}\"\n",
      "python");
  fs::permissions(plugin.path("python"), fs::perms::owner_all);
  auto options = LegacyPlugin::options();
  options.python = plugin.path("python");
  const auto entry = plugin.inspected(options);
  ::close(leaky);
  CHECK(entry.metadata.name() == "524288 5 0 none closed");
}

TEST_CASE("the loop goes on with other work while a plugin is inspected") {
  const LegacyPlugin plugin;
  plugin.code("class Plugin:\n    name = 'x'\n");
  auto entry = plugin.entry();
  asio::io_context context;
  bool finished = false;
  int turns = 0;
  const auto options = LegacyPlugin::options();
  asio::co_spawn(context, inspect_legacy(entry, options),
                 [&](const std::exception_ptr&) { finished = true; });
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        asio::steady_timer timer(context);
        while (!finished) {
          ++turns;
          timer.expires_after(std::chrono::milliseconds(1));
          co_await timer.async_wait(asio::use_awaitable);
        }
      },
      asio::detached);
  context.run();
  CHECK(turns >= 3);
  CHECK(entry.metadata.name() == "x");
}

TEST_CASE("many plugins are inspected at the same time") {
  const auto before = children();
  const LegacyPlugin plugin;
  plugin.code("class Plugin:\n    name = 'x'\n");
  std::vector<CatalogEntry> entries(8, plugin.entry());
  asio::io_context context;
  const auto options = LegacyPlugin::options();
  for (auto& entry : entries)
    asio::co_spawn(context, inspect_legacy(entry, options), asio::detached);
  context.run();
  for (const auto& entry : entries) CHECK(entry.metadata.name() == "x");
  CHECK(children() == before);
}

TEST_CASE("an inspection that is cancelled ends at once and leaves no process") {
  const auto before = children();
  const LegacyPlugin plugin;
  plugin.code("class Plugin: pass\n");
  plugin.code("#!/bin/sh\nexec sleep 1000\n", "python");
  fs::permissions(plugin.path("python"), fs::perms::owner_all);
  auto options = LegacyPlugin::options();
  options.python = plugin.path("python");
  auto entry = plugin.entry();
  asio::io_context context;
  asio::cancellation_signal cancel;
  bool threw = false;
  asio::co_spawn(context, inspect_legacy(entry, options),
                 asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr& error) {
                   threw = error != nullptr;
                 }));
  asio::post(context, [&] { cancel.emit(asio::cancellation_type::terminal); });
  const auto start = std::chrono::steady_clock::now();
  context.run();
  CHECK(threw);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  CHECK(children() == before);
}

TEST_CASE("a plugin with a manifest or an error is not inspected") {
  const LegacyPlugin plugin;
  plugin.code("class Plugin:\n    name = 'from code'\n");
  plugin.code(R"({"name": "from manifest"})", "plugin.json");
  CHECK(plugin.inspected().metadata.name() == "from manifest");
}

TEST_CASE("the attributes of the guides' legacy plugins are told before they are enabled") {
  const auto plugins = fs::path(SOURCE_DIRECTORY) / "tests/plugins/seed_style";
  auto outcome = scan(plugins);
  REQUIRE(outcome.has_value());
  const auto options = LegacyPlugin::options();
  asio::io_context context;
  for (auto& entry : outcome.value())
    asio::co_spawn(context, inspect_legacy(entry, options), asio::detached);
  context.run();
  std::map<std::string, CatalogEntry> entries;
  for (auto& entry : outcome.value()) {
    INFO(entry.key);
    CHECK(entry.warnings.empty());
    CHECK_FALSE(entry.metadata.version().empty());
    entries[entry.key] = entry;
  }
  CHECK(entries["hello_world"].metadata.name() == "Hello World");
  CHECK(entries["hello_world"].metadata.fields_json().find("greeting") != std::string::npos);
  CHECK(entries["database_maintenance"].metadata.actions_json().find("vacuum_database") !=
        std::string::npos);
  CHECK(entries["sports_calendar"].metadata.navigation_json() ==
        R"({"label":"Sports Calendar","icon":"calendar","position":"bottom"})");
  CHECK(entries["sports_calendar"].metadata.pages_json().find("calendars_table") !=
        std::string::npos);
  CHECK(entries["refresh_all"].metadata.name() == "Refresh All Sources");
  CHECK_FALSE(entries["my_plugin"].legacy);
}
