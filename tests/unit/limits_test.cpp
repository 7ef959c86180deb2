#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "supervisor/limits/launch_limits.h"
#include "supervisor/limits/limit_watch.h"
#include "supervisor/limits/process_table.h"
#include "supervisor/sys/size_text.h"

namespace fs = std::filesystem;
using namespace supervisor;
using namespace supervisor::limits;

namespace {

class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "limits-test-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~Tree() { fs::remove_all(root_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  [[nodiscard]] const fs::path& root() const { return root_; }
  void put(const fs::path& file, const std::string& content) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << content;
  }
  [[nodiscard]] std::string get(const fs::path& file) const {
    std::ifstream stream(root_ / file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  [[nodiscard]] fs::path only_child(const fs::path& directory) const {
    for (const auto& entry : fs::directory_iterator(root_ / directory))
      if (entry.is_directory()) return entry.path();
    return {};
  }

 private:
  fs::path root_;
};

// A group as a kernel with these controllers would have made it.
void fill_group(const Tree& tree, const fs::path& group) {
  for (const auto& [file, content] : std::initializer_list<std::pair<const char*, const char*>>{
           {"cgroup.procs", ""},
           {"cgroup.kill", ""},
           {"memory.max", "max"},
           {"memory.swap.max", "max"},
           {"memory.current", "50000000"},
           {"memory.stat", "anon 1\ninactive_file 10000000\nactive_file 3\n"},
           {"memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"},
           {"pids.max", "max"},
           {"pids.current", "12"},
           {"pids.events", "max 0\n"},
           {"cpu.max", "max 100000"}})
    tree.put(group / file, content);
}

// A delegated cgroup of version 2, and the name of what the supervisor made in it.
struct Delegated {
  Tree tree;
  fs::path parent;

  explicit Delegated(const std::string& controllers = "cpuset cpu io memory pids") {
    tree.put("own/cgroup.controllers", controllers + "\n");
    tree.put("own/cgroup.subtree_control", "");
    tree.put("own/cgroup.procs", "");
    // The first one makes the directory, which a kernel would fill.
    const LimitSupport first({.v2 = tree.root() / "own", .v1 = {}}, MechanismChoice::automatic,
                             "/run/x");
    parent = fs::relative(tree.only_child("own"), tree.root());
    tree.put(parent / "cgroup.controllers", controllers + "\n");
    tree.put(parent / "cgroup.subtree_control", "");
  }
  [[nodiscard]] LimitSupport support() const {
    return LimitSupport({.v2 = tree.root() / "own", .v1 = {}}, MechanismChoice::automatic,
                        "/run/x");
  }
};

constexpr Limits some{.memory_bytes = 64u << 20, .cpus = 1.5, .processes = 40, .open_files = 100};

}  // namespace

TEST_CASE("the own cgroups of a hybrid host are found per controller", "[limits]") {
  const auto own = own_cgroups(
      "9:name=systemd:/\n4:memory:/a b\n2:cpu,cpuacct:/x\n0::/user.slice\n",
      "26 24 0:23 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "27 24 0:24 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup none rw,cpu,cpuacct\n"
      "28 24 0:25 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n"
      "29 24 0:26 / /proc rw - proc proc rw\n");
  CHECK(own.v2 == "/sys/fs/cgroup/uni fied/user.slice");
  CHECK(own.v1.at("memory") == "/sys/fs/cgroup/memory/a b");
  CHECK(own.v1.at("cpu") == "/sys/fs/cgroup/cpu,cpuacct/x");
  CHECK(own.v1.at("cpuacct") == own.v1.at("cpu"));
  CHECK_FALSE(own.v1.contains("pids"));
}

TEST_CASE("a cgroup that is mounted from its middle is found below the mount", "[limits]") {
  const auto own = own_cgroups("0::/docker/abc/inner\n",
                               "28 24 0:25 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  CHECK(own.v2 == "/sys/fs/cgroup/inner");
  CHECK(own_cgroups("0::/../outside\n", "28 24 0:25 / /sys/fs/cgroup rw - cgroup2 c rw\n")
            .v2.empty());
  CHECK(own_cgroups("", "").v2.empty());
}

TEST_CASE("a launch's groups have a name of their own, whatever the key", "[limits]") {
  CHECK(LimitSupport::group_name("my_plugin-2", 7) == "my_plugin-2.7");
  const auto strange = LimitSupport::group_name("../../x", 7);
  CHECK(strange.find('/') == std::string::npos);
  CHECK_FALSE(strange.starts_with('.'));
  CHECK(strange != LimitSupport::group_name("x", 7));
  CHECK(strange != LimitSupport::group_name("./x", 7));
  CHECK(LimitSupport::group_name(std::string(300, 'k'), 7).size() < 128);
}

TEST_CASE("delegated controllers of version 2 are handed down and used", "[limits]") {
  const Delegated host;
  const auto support = host.support();
  CHECK(support.memory().by == v1::LIMIT_MECHANISM_CGROUP_V2);
  CHECK(support.processes().by == v1::LIMIT_MECHANISM_CGROUP_V2);
  CHECK(support.cpus().by == v1::LIMIT_MECHANISM_CGROUP_V2);
  CHECK(host.tree.get("own/cgroup.subtree_control").find('+') != std::string::npos);

  const auto group = host.parent / "hog.3";
  fill_group(host.tree, group);
  LaunchLimits launch(support, "hog", 3, some);
  CHECK(host.tree.get(group / "memory.max") == "67108864");
  CHECK(host.tree.get(group / "memory.swap.max").starts_with("0"));
  CHECK(host.tree.get(group / "pids.max").starts_with("40"));
  CHECK(host.tree.get(group / "cpu.max") == "150000 100000");
  CHECK(launch.way_in().group);
  CHECK(launch.way_in().tasks.empty());
  CHECK_FALSE(launch.needs_samples());

  v1::LimitsReport report;
  launch.report(report, 0, true);
  CHECK(report.memory_by() == v1::LIMIT_MECHANISM_CGROUP_V2);
  CHECK(report.cpus_by() == v1::LIMIT_MECHANISM_CGROUP_V2);
  CHECK(report.open_files_by() == v1::LIMIT_MECHANISM_RLIMIT);
  CHECK(report.memory_used_bytes() == 40'000'000);
  CHECK(report.processes_used() == 12);
}

TEST_CASE("a controller that is not delegated is left to sampling, and said", "[limits]") {
  const Delegated host("cpu pids");
  const auto support = host.support();
  CHECK(support.memory().by == v1::LIMIT_MECHANISM_NONE);
  CHECK(support.memory().why_not.find("memory") != std::string::npos);
  fill_group(host.tree, host.parent / "p.1");
  const LaunchLimits launch(support, "p", 1, some);
  CHECK(launch.needs_samples());
  v1::LimitsReport report;
  launch.report(report, 0, false);
  CHECK(report.memory_by() == v1::LIMIT_MECHANISM_SAMPLING);
  CHECK(report.processes_by() == v1::LIMIT_MECHANISM_CGROUP_V2);
}

TEST_CASE("a group that does not hold the worker is given up", "[limits]") {
  const Delegated host;
  const auto support = host.support();
  fill_group(host.tree, host.parent / "p.1");
  host.tree.put(host.parent / "p.1" / "cgroup.procs", "17\n" + std::to_string(::getpid()) + "\n");
  LaunchLimits launch(support, "p", 1, some);
  launch.confirm(::getpid());
  CHECK_FALSE(launch.needs_samples());
  constexpr pid_t ended = (1 << 22) + 1;  // More than a process number can be.
  launch.confirm(ended);
  CHECK_FALSE(launch.needs_samples());
  launch.confirm(::getppid());
  CHECK(launch.needs_samples());
  v1::LimitsReport report;
  launch.report(report, 0, false);
  CHECK(report.memory_by() == v1::LIMIT_MECHANISM_SAMPLING);
  CHECK(report.cpus_by() == v1::LIMIT_MECHANISM_NONE);
}

TEST_CASE("a group that still holds something when its launch is over is removed later",
          "[limits]") {
  const Delegated host;
  auto support = host.support();
  const auto group = host.tree.root() / host.parent / "p.1";
  {
    const LaunchLimits launch(support, "p", 1, some);
    // What the kernel's rmdir(2) refuses for a process, a plain one does for a file.
    host.tree.put(host.parent / "p.1" / "cgroup.procs", "17\n");
  }
  support.remove_leftovers();
  REQUIRE(fs::is_directory(group));
  fs::remove(group / "cgroup.procs");
  support.remove_leftovers();
  CHECK_FALSE(fs::exists(group));
}

TEST_CASE("a group that was given up is removed when it is empty", "[limits]") {
  const Delegated host;
  auto support = host.support();
  const auto group = host.tree.root() / host.parent / "p.1";
  LaunchLimits launch(support, "p", 1, some);
  host.tree.put(host.parent / "p.1" / "cgroup.procs", "17\n");
  launch.confirm(::getpid());
  for (const auto& entry : fs::directory_iterator(group)) fs::remove(entry);
  support.remove_leftovers();
  CHECK_FALSE(fs::exists(group));
}

TEST_CASE("only what the kernel counted is a cause of death", "[limits]") {
  const Delegated host;
  const auto support = host.support();
  const auto group = host.parent / "p.1";
  fill_group(host.tree, group);
  LaunchLimits launch(support, "p", 1, some);
  CHECK_FALSE(launch.cause(true, SIGKILL));
  host.tree.put(group / "memory.events", "max 9\noom 1\noom_kill 1\n");
  host.tree.put(group / "pids.events", "max 2\n");
  REQUIRE(launch.cause(true, SIGKILL));
  CHECK(launch.cause(true, SIGKILL)->reason() == v1::REASON_OUT_OF_MEMORY);
  CHECK(launch.cause(true, SIGKILL)->message().find("64.0 MiB") != std::string::npos);
  REQUIRE(launch.cause(true, SIGABRT));
  CHECK(launch.cause(true, SIGABRT)->reason() == v1::REASON_TOO_MANY_PROCESSES);
  CHECK_FALSE(launch.cause(true, SIGTERM));
  CHECK_FALSE(launch.cause(false, 0));
  // Seen twice, it has survived both; it may still die of the next.
  CHECK(launch.look().empty());
  CHECK(launch.look().size() == 2);
  CHECK(launch.look().empty());
  CHECK_FALSE(launch.cause(true, SIGKILL));
  CHECK_FALSE(launch.cause(true, SIGABRT));
  host.tree.put(group / "memory.events", "max 9\noom 2\noom_kill 2\n");
  CHECK(launch.cause(true, SIGKILL));
}

TEST_CASE("what was counted of a worker that has ended is the cause, however long ago it was",
          "[limits]") {
  const Delegated host;
  const auto support = host.support();
  const auto group = host.parent / "p.1";
  fill_group(host.tree, group);
  const auto limits = std::make_shared<LaunchLimits>(support, "p", 1, some);
  host.tree.put(group / "memory.events", "max 9\noom 1\noom_kill 1\n");
  bool goes_on = false;
  int looks = 0;
  boost::asio::io_context core;
  LimitWatch watch(core.get_executor());
  LimitWatch::Launch launch;
  launch.limits = limits;
  launch.goes_on = [&] { return ++looks > 0 && goes_on; };
  launch.say = [](const std::string&) {};
  watch.add(launch);
  boost::asio::co_spawn(core, watch.look_forever(), boost::asio::detached);
  const auto look_until = [&](int count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (looks < count && std::chrono::steady_clock::now() < deadline)
      core.run_one_until(deadline);
    REQUIRE(looks >= count);
  };
  // Its end is not known yet: a supervisor that is stopped meanwhile learns of it late.
  look_until(2);
  REQUIRE(limits->cause(true, SIGKILL));
  goes_on = true;
  look_until(4);
  CHECK_FALSE(limits->cause(true, SIGKILL));
}

TEST_CASE("memory that the machine lacks is no fault of the plugin's limit", "[limits]") {
  const Delegated host;
  const auto support = host.support();
  fill_group(host.tree, host.parent / "p.1");
  const LaunchLimits launch(support, "p", 1, some);
  host.tree.put(host.parent / "p.1" / "memory.events", "max 0\noom 0\noom_kill 1\n");
  REQUIRE(launch.cause(true, SIGKILL));
  CHECK(launch.cause(true, SIGKILL)->message().find("machine") != std::string::npos);
}

TEST_CASE("everything in a group of version 2 is killed by one word", "[limits]") {
  const Delegated host;
  const auto support = host.support();
  const auto group = host.parent / "p.1";
  fill_group(host.tree, group);
  const LaunchLimits launch(support, "p", 1, some);
  CHECK(launch.is_empty());
  CHECK(launch.kill_all() == 0);
  CHECK(host.tree.get(group / "cgroup.kill").empty());
  host.tree.put(group / "cgroup.procs", "1234567\n1234568\n");
  CHECK(launch.kill_all() == 2);
  CHECK(host.tree.get(group / "cgroup.kill") == "1");
}

TEST_CASE("a launch that is taken over has the limits it was started with", "[limits]") {
  const Delegated host;
  const auto support = host.support();
  fill_group(host.tree, host.parent / "p.1");
  host.tree.put(host.parent / "p.1" / "memory.max", "33554432\n");
  host.tree.put(host.parent / "p.1" / "pids.max", "max\n");
  host.tree.put(host.parent / "p.1" / "cpu.max", "50000 100000\n");
  const auto adopted = LaunchLimits::adopt(support, "p", "p.1", some);
  CHECK(host.tree.get(host.parent / "p.1" / "memory.max") == "33554432\n");
  v1::LimitsReport report;
  adopted->report(report, 0, false);
  CHECK(report.memory_bytes() == 33554432);
  CHECK(report.processes() == 0);
  CHECK(report.processes_by() == v1::LIMIT_MECHANISM_NONE);
  CHECK(report.cpus() == 0.5);
  const auto unknown = LaunchLimits::adopt(support, "p", "p.2", some);
  CHECK(unknown->needs_samples());
  CHECK_FALSE(fs::exists(host.tree.root() / host.parent / "p.2"));
}

TEST_CASE("without cgroups, what is seen over its limit is told once", "[limits]") {
  const LimitSupport support({}, MechanismChoice::sampling, "/run/x");
  LaunchLimits launch(support, "p", 1, some);
  CHECK(launch.needs_samples());
  CHECK(launch.kill_all() == 0);
  CHECK_FALSE(launch.take_sample({.memory_bytes = 64u << 20, .processes = 40}));
  CHECK(launch.take_sample({.memory_bytes = 65u << 20, .processes = 40}));
  CHECK_FALSE(launch.take_sample({.memory_bytes = 66u << 20, .processes = 50}));
  REQUIRE(launch.cause(true, SIGKILL));
  CHECK(launch.cause(true, SIGKILL)->reason() == v1::REASON_OUT_OF_MEMORY);
  LaunchLimits other(support, "p", 2, some);
  // Many processes are also much memory: the cause is told.
  CHECK(other.take_sample({.memory_bytes = 65u << 20, .processes = 41}));
  CHECK(other.cause(true, SIGKILL)->reason() == v1::REASON_TOO_MANY_PROCESSES);
}

TEST_CASE("a family is a process and all below it, counted once", "[limits]") {
  const ProcessTable table({{10, 1, 2, 100}, {11, 10, 1, 10}, {12, 11, 3, 1}, {13, 1, 9, 5000}});
  const auto usage = ProcessTable::total(table.family(10));
  CHECK(usage.memory_bytes == 111);
  CHECK(usage.processes == 6);
  CHECK(table.family(99).empty());
  // As a reading may show it when numbers were used again meanwhile.
  const ProcessTable circle({{20, 21, 1, 1}, {21, 20, 1, 1}});
  CHECK(circle.family(20).size() == 2);
}

TEST_CASE("a reading of the machine's processes finds this one and its child", "[limits]") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ProcessReading reading;
  while (reading.read_some(16)) {
  }
  const auto table = std::move(reading).finish();
  const auto family = table.family(::getpid());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  REQUIRE(family.size() >= 2);
  CHECK(family.front().pid == ::getpid());
  CHECK(family.front().memory_bytes > 1u << 20);
  CHECK(std::any_of(family.begin(), family.end(),
                    [&](const auto& row) { return row.pid == child && row.threads == 1; }));
  CHECK(proportional_memory(family.front()) <= family.front().memory_bytes);
}

TEST_CASE("sizes are read as people write them", "[limits]") {
  CHECK(sys::parse_size("512m") == 512u << 20);
  CHECK(sys::parse_size("1.5GiB") == std::uint64_t{3} << 29);
  CHECK(sys::parse_size("64 MB") == 64u << 20);
  CHECK(sys::parse_size("1073741824") == 1u << 30);
  CHECK(sys::parse_size("none") == 0);
  for (const auto* wrong : {"", "m", "-1", "1x", "much", "1e400", "1 2", "1ggg", "ib"}) {
    CAPTURE(wrong);
    CHECK_FALSE(sys::parse_size(wrong));
  }
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1000}, std::uint64_t{1} << 30,
                                   std::uint64_t{3} << 29, std::uint64_t{1} << 45})
    CHECK(sys::parse_size(sys::size_text(size)) == size);
}
