#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "supervisor/sandbox/consent.h"
#include "supervisor/sandbox/live_sandbox.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sandbox/planner.h"
#include "supervisor/sandbox/programs.h"
#include "supervisor/sandbox/protections.h"
#include "supervisor/sandbox/seccomp_filter.h"
#include "supervisor/sandbox/system_paths.h"

namespace fs = std::filesystem;
using namespace supervisor;
using namespace supervisor::sandbox;

namespace {

class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "sandbox-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }
  fs::path program(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name) << content;
    fs::permissions(path_ / name, fs::perms(0755));
    return path_ / name;
  }

 private:
  fs::path path_;
};

v1::Permissions permissions(const std::string& json) { return parse_permissions(json).value(); }

v1::SandboxPlan planned(const std::string& json, std::vector<v1::Protection> made = {}) {
  SandboxPlanner planner;
  SandboxSubject subject;
  subject.code = "/plugins/p";
  subject.data = "/data/p";
  subject.launch = "/run/w/1";
  subject.interpreter = "/usr/bin/python3";
  subject.user = 12345;
  subject.made = std::move(made);
  return planner.plan(permissions(json), ProtectionModes(), subject).value();
}

const v1::SandboxPlan::Path* path_of(const v1::SandboxPlan& plan, const std::string& path) {
  for (const auto& one : plan.paths())
    if (one.path() == path) return &one;
  return nullptr;
}

}  // namespace

TEST_CASE("protections have modes by name", "[sandbox]") {
  const auto modes = ProtectionModes().with("all=required, files = off ,network=preferred");
  REQUIRE(modes.has_value());
  CHECK(modes->of(v1::PROTECTION_FILES) == ProtectionMode::off);
  CHECK(modes->of(v1::PROTECTION_NETWORK) == ProtectionMode::preferred);
  CHECK(modes->of(v1::PROTECTION_SYSTEM_CALLS) == ProtectionMode::required);
  CHECK(ProtectionModes().with(modes->text()).value() == modes.value());
  CHECK(ProtectionModes().text().empty());
  CHECK(ProtectionModes().with("").value() == ProtectionModes());
  for (const auto* wrong :
       {"files", "files=on", "file=off", "=off", "files=off;network=off", "unspecified=off"}) {
    CAPTURE(wrong);
    const auto refused = ProtectionModes().with(wrong);
    REQUIRE(refused.has_error());
    CHECK(refused.error().reason() == v1::REASON_INVALID_REQUEST);
  }
}

TEST_CASE("every protection belongs to a tier", "[sandbox]") {
  CHECK(tier_of(v1::PROTECTION_NO_NEW_PRIVILEGES) == 0);
  CHECK(tier_of(v1::PROTECTION_SYSTEM_CALLS) == 1);
  CHECK(tier_of(v1::PROTECTION_ROOT) == 2);
  CHECK(tier_of(v1::PROTECTION_NETWORK) == 3);
  for (const auto protection : all_protections()) CHECK(tier_of(protection) <= 3);
}

TEST_CASE("what was granted holds, else what is asked is not given", "[sandbox]") {
  Consent consent;
  const auto by_default = permissions(R"({"exec": ["ffprobe"]})");
  consent.set_asked(std::nullopt, by_default);
  CHECK(permissions_json(consent.effective()) == R"({"exec":["ffprobe"]})");
  consent.set_asked(permissions(R"({"exec": ["ffmpeg"], "runtime": {"gevent": true}})"),
                    by_default);
  CHECK(permissions_json(consent.effective()) == R"({"runtime":{"gevent":true}})");
  CHECK(permissions_json(consent.waiting()) == R"({"exec":["ffmpeg"]})");
  consent.set_grant({permissions(R"({"exec": ["ffmpeg"], "devices": ["dri"]})"), "admin", 5});
  CHECK(permissions_json(consent.effective()) ==
        R"({"exec":["ffmpeg"],"devices":["dri"],"runtime":{"gevent":true}})");
  CHECK(consent.waiting().ByteSizeLong() == 0);
  const auto none = permissions("");
  REQUIRE(consent.report(&none));
  CHECK(consent.report(&none)->outdated());
  CHECK_FALSE(consent.report(nullptr)->outdated());
  CHECK(consent.report(nullptr)->granted_by() == "admin");
  CHECK_FALSE(Consent().report(nullptr));
}

TEST_CASE("a plugin's own files are planned, and those that were granted", "[sandbox]") {
  const auto plan = planned(R"({"filesystem": {"read": ["/srv/r"], "write": ["/srv/w"]}})");
  CHECK(plan.uid() == 12345);
  REQUIRE(path_of(plan, "/plugins/p"));
  CHECK_FALSE(path_of(plan, "/plugins/p")->write());
  REQUIRE(path_of(plan, "/data/p"));
  CHECK(path_of(plan, "/data/p")->write());
  CHECK(path_of(plan, "/srv/r")->of_plugin());
  CHECK_FALSE(path_of(plan, "/srv/r")->write());
  CHECK(path_of(plan, "/srv/w")->write());
  CHECK(path_of(plan, "/srv/w")->as_owner());
  CHECK_FALSE(path_of(plan, "/usr"));  // What all workers have is not each one's.
  CHECK_FALSE(path_of(plan, "/tmp"));
  CHECK_FALSE(path_of(plan, "/proc"));
  CHECK(path_of(planned("", {v1::PROTECTION_ROOT, v1::PROTECTION_PROCESSES}), "/tmp")->write());
}

TEST_CASE("the network is planned by port", "[sandbox]") {
  const auto none = planned("", {v1::PROTECTION_NETWORK});
  CHECK_FALSE(none.host_network());
  CHECK(none.any_connect());
  REQUIRE(none.listen_size() == 1);
  CHECK(none.listen(0) == 0);

  const auto some = planned(
      R"({"network": {"listen": [9192], "outbound": ["example.org:8443", 443, "[::1]:80"]}})");
  CHECK(some.host_network());
  CHECK_FALSE(some.any_connect());
  CHECK(std::vector<std::uint32_t>(some.connect().begin(), some.connect().end()) ==
        std::vector<std::uint32_t>{8443, 443, 80});
  CHECK(some.listen(0) == 9192);
  CHECK(std::find(some.wanted().begin(), some.wanted().end(), v1::PROTECTION_NETWORK) ==
        some.wanted().end());

  for (const auto* any : {R"("*")", R"("example.org")", R"("::1")"}) {
    CAPTURE(any);
    CHECK(planned(std::string(R"({"network": {"outbound": [)") + any + "]}}").any_connect());
  }
}

TEST_CASE("a program is found with what it needs to be executed", "[sandbox]") {
  const Directory directory;
  const auto path = directory.path().string();
  CHECK(files_of_program("nothing", path).empty());
  CHECK(files_of_program("../true", path).empty());
  const auto sh = fs::path("/bin/sh");
  const auto script = directory.program("script", "#!/bin/sh -e\nexit 0\n");
  auto files = files_of_program("script", path);
  REQUIRE(files.size() == 3);
  CHECK(files[0] == script);
  CHECK(files[1] == sh);
  CHECK(files[2].string().find("ld-linux") != std::string::npos);
  directory.program("by_env", "#!/usr/bin/env sh\n");
  files = files_of_program("by_env", path + ":/bin");
  CHECK(std::find(files.begin(), files.end(), "/usr/bin/env") != files.end());
  CHECK(std::find(files.begin(), files.end(), sh) != files.end());
  directory.program("loop", "#!" + path + "/loop\n");
  CHECK(files_of_program("loop", path).size() == 4);
  directory.program("empty", "");
  CHECK(files_of_program("empty", path).size() == 1);
}

TEST_CASE("no path is below another", "[sandbox]") {
  const auto paths = system_paths();
  CHECK(outermost(paths).size() == paths.size());
  CHECK(outermost({"/a/b", "/a", "/ab", "/a/b/c"}) == std::vector<fs::path>{"/a", "/ab"});
  const auto shared = shared_paths("/venv/bin/python", {"/usr/lib/x", "/app"});
  CHECK(std::find(shared.begin(), shared.end(), "/venv") != shared.end());
  CHECK(std::find(shared.begin(), shared.end(), "/app") != shared.end());
  CHECK(std::find(shared.begin(), shared.end(), "/usr/lib/x") == shared.end());
}

TEST_CASE("filters of system calls are programs that the kernel takes", "[sandbox]") {
  for (const auto& program : {compile_allowed_calls(), compile_refused_calls({true, true, true}),
                              compile_refused_calls({false, false, false})}) {
    REQUIRE(program.has_value());
    CHECK(program->size() % sizeof(sock_filter) == 0);
    CHECK(program->size() / sizeof(sock_filter) > 10);
    CHECK(program->size() / sizeof(sock_filter) <= BPF_MAXINSNS);
  }
}

TEST_CASE("the sandbox of a process is read from the kernel", "[sandbox]") {
  v1::SandboxOutcome outcome;
  outcome.add_done(v1::PROTECTION_FILES);
  auto& missing = *outcome.add_missing();
  missing.set_protection(v1::PROTECTION_SYSTEM_CALLS);
  missing.set_because("it rains");
  const auto report = read_sandbox(::getpid(), outcome, ProtectionModes(), false);
  REQUIRE(report);
  CHECK(report->user() == ::getuid());
  for (const auto& state : report->protections()) {
    CAPTURE(protection_name(state.protection()));
    // This process has none of what /proc shows, whatever it may say.
    if (state.protection() == v1::PROTECTION_FILES) {
      CHECK(state.in_force());
      CHECK(state.seen_by() == "worker");
    }
    if (state.protection() == v1::PROTECTION_ROOT || state.protection() == v1::PROTECTION_NETWORK)
      CHECK_FALSE(state.in_force());
  }
  CHECK_FALSE(read_sandbox(1 << 23, outcome, ProtectionModes(), false));
}
