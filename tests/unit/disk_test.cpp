#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "supervisor/limits/disk_quota.h"
#include "supervisor/limits/disk_use.h"
#include "supervisor/limits/file_growth.h"
#include "supervisor/sys/unique_fd.h"

namespace fs = std::filesystem;
using namespace supervisor;
using namespace supervisor::limits;

namespace {

constexpr std::uint64_t mib = 1u << 20;

class Directory {
 public:
  Directory() {
    // Not on a tmpfs, whose directories take no blocks.
    std::string name = (fs::current_path() / "disk-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  [[nodiscard]] fs::path operator/(const fs::path& file) const { return path_ / file; }
  [[nodiscard]] const fs::path& path() const { return path_; }
  void put(const fs::path& file, std::size_t bytes) const {
    std::ofstream(path_ / file) << std::string(bytes, 'x');
  }
  [[nodiscard]] std::uint64_t use() const { return directory_use(path_).bytes; }

 private:
  fs::path path_;
};

DiskUse used(std::uint64_t bytes) { return {.bytes = bytes}; }

using Verdict = DiskQuota::Verdict;

/// It takes three measures in a row.
bool take_until_over(DiskQuota& quota, std::uint64_t bytes) {
  return quota.take(used(bytes), "p") == Verdict::as_before &&
         quota.take(used(bytes), "p") == Verdict::as_before &&
         quota.take(used(bytes), "p") == Verdict::over;
}

}  // namespace

TEST_CASE("a directory takes the blocks of its files, and each at least one") {
  const Directory directory;
  CHECK(directory.use() == 0);
  directory.put("large", 3 * mib);
  CHECK(directory.use() >= 3 * mib);
  CHECK(directory.use() < 3 * mib + 65536);
  const auto before = directory.use();
  for (int i = 0; i < 100; ++i) directory.put("empty" + std::to_string(i), 0);
  CHECK(directory.use() == before + 100 * 4096);
}

TEST_CASE("holes take nothing, and a file with many names takes its blocks once") {
  const Directory directory;
  directory.put("sparse", 0);
  fs::resize_file(directory / "sparse", 100 * mib);
  CHECK(directory.use() == 4096);
  directory.put("linked", 2 * mib);
  const auto before = directory.use();
  fs::create_hard_link(directory / "linked", directory / "again");
  CHECK(directory.use() == before);
}

TEST_CASE("a link leads a measure nowhere else") {
  const Directory directory;
  const Directory other;
  other.put("large", mib);
  fs::create_symlink(other.path(), directory / "link");
  CHECK(directory.use() <= 4096);
}

TEST_CASE("what is too deep to be measured is told") {
  const Directory directory;
  auto path = directory.path();
  for (unsigned i = 1; i < deepest_directory; ++i) path /= "d";
  fs::create_directories(path);
  CHECK_FALSE(directory_use(directory.path()).too_deep);
  fs::create_directories(path / "d");
  CHECK(directory_use(directory.path()).too_deep);
}

TEST_CASE("files without a name count for whoever holds them, open or mapped") {
  const Directory directory;
  directory.put("file", 2 * mib);
  sys::UniqueFd held(::open((directory / "file").c_str(), O_RDWR | O_CLOEXEC));
  CHECK(held_bytes(directory.path(), {::getpid()}) == 0);
  fs::remove(directory / "file");
  CHECK(held_bytes(directory.path(), {::getpid()}) >= 2 * mib);
  const sys::UniqueFd again(::dup(held.get()));
  CHECK(held_bytes(directory.path(), {::getpid()}) < 3 * mib);
  void* memory = ::mmap(nullptr, mib, PROT_READ, MAP_SHARED, held.get(), 0);
  REQUIRE(memory != MAP_FAILED);
  held.reset();
  ::close(again.get());
  if (::geteuid() == 0) CHECK(held_bytes(directory.path(), {::getpid()}) >= 2 * mib);
  ::munmap(memory, mib);
  CHECK(held_bytes(directory.path(), {::getpid()}) == 0);
}

TEST_CASE("a quota is full at its limit and has room well below it") {
  DiskQuota quota(64 * mib);
  CHECK(quota.take(used(64 * mib - 1), "p") == Verdict::as_before);
  CHECK(quota.is_near());
  CHECK(quota.take(used(64 * mib), "p") == Verdict::full);
  CHECK(quota.is_full());
  CHECK(quota.take(used(64 * mib), "p") == Verdict::as_before);
  CHECK(quota.take(used(64 * mib - 4096), "p") == Verdict::as_before);
  CHECK(quota.is_full());
  CHECK(quota.take(used(60 * mib), "p") == Verdict::room);
  CHECK_FALSE(quota.is_full());
  CHECK_FALSE(quota.failure());
}

TEST_CASE("what was under way when growth was refused is borne, and further growth is not") {
  DiskQuota quota(64 * mib);
  CHECK(quota.take(used(70 * mib), "p") == Verdict::full);
  CHECK(quota.take(used(90 * mib), "p") == Verdict::as_before);
  CHECK(quota.take(used(94 * mib), "p") == Verdict::as_before);
  // Once or twice may be the file system's own way of counting.
  CHECK(quota.take(used(95 * mib), "p") == Verdict::as_before);
  CHECK(quota.take(used(95 * mib), "p") == Verdict::as_before);
  CHECK(quota.take(used(94 * mib), "p") == Verdict::as_before);
  CHECK(take_until_over(quota, 95 * mib));
  const auto failure = quota.failure();
  REQUIRE(failure);
  CHECK(failure->reason() == v1::REASON_DISK_LIMIT);
  CHECK(failure->message().find("95.0 MiB of 64.0 MiB") != std::string::npos);
  CHECK(quota.take(used(200 * mib), "p") == Verdict::as_before);
}

TEST_CASE("where growth cannot be refused, what is over the limit ends") {
  DiskQuota quota(64 * mib);
  CHECK(quota.take(used(64 * mib), "p") == Verdict::full);
  quota.growth_was_not_refused();
  CHECK(take_until_over(quota, 69 * mib));
}

TEST_CASE("a directory that cannot be measured is over, and without a limit nothing is") {
  DiskQuota quota(mib);
  CHECK(quota.take({.bytes = 0, .too_deep = true}, "p") == Verdict::over);
  DiskQuota none(0);
  CHECK(none.take({.bytes = 1u << 30, .too_deep = true}, "p") == Verdict::as_before);
}

TEST_CASE("a process is refused growth of its files, and allowed it again") {
  const Directory directory;
  int to_child[2];
  int from_child[2];
  REQUIRE(::pipe(to_child) == 0);
  REQUIRE(::pipe(from_child) == 0);
  // As nobody at all, where we may; and as we are.
  const uid_t user = ::geteuid() == 0 ? GENERATE(uid_t{0}, uid_t{1879113000}) : uid_t{0};
  const int file = ::open((directory / "file").c_str(), O_CREAT | O_WRONLY, 0600);
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::close(to_child[1]);
    ::close(from_child[0]);
    if (user != 0 && (::setresgid(user, user, user) != 0 || ::setresuid(user, user, user) != 0))
      ::_exit(1);
    for (char go = 0; ::read(to_child[0], &go, 1) == 1;) {
      errno = 0;
      const char done = ::write(file, "x", 1) == 1 ? '+' : errno == EFBIG ? '-' : '?';
      if (::write(from_child[1], &done, 1) != 1) break;
    }
    ::_exit(0);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
  ::close(file);
  const auto write_one = [&] {
    char done = 0;
    REQUIRE(::write(to_child[1], "g", 1) == 1);
    REQUIRE(::read(from_child[0], &done, 1) == 1);
    return done;
  };
  GrowthSubject subject;
  subject.processes = [child] { return std::vector<pid_t>{child}; };
  subject.user = user == 0 ? ::geteuid() : user;
  subject.group = user == 0 ? ::getegid() : user;
  CHECK(write_one() == '+');
  CHECK(refuse_growth(subject));
  CHECK(write_one() == '-');
  CHECK(allow_growth(subject, 0));
  CHECK(write_one() == '+');
  CHECK(allow_growth(subject, 3));
  CHECK(write_one() == '+');
  CHECK(write_one() == '-');
  ::close(to_child[1]);
  ::waitpid(child, nullptr, 0);
  ::close(from_child[0]);
  CHECK(refuse_growth(subject));  // Who has ended grows nothing.
}
