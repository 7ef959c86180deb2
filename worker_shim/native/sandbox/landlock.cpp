#include "worker_shim/native/sandbox/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "supervisor/sys/syscall.h"

namespace plugin_worker::sandbox {

using supervisor::sys::throw_errno;
using supervisor::sys::UniqueFd;

namespace {

// The whole of landlock_ruleset_attr as of ABI 6; older kernels take a part.
struct RulesetAttributes {
  std::uint64_t handled_files = 0;
  std::uint64_t handled_ports = 0;
  std::uint64_t scoped = 0;
};

struct [[gnu::packed]] PathBeneath {
  std::uint64_t access = 0;
  std::int32_t parent = -1;
};

struct Port {
  std::uint64_t access = 0;
  std::uint64_t port = 0;
};

constexpr int rule_path_beneath = 1;
constexpr int rule_port = 2;
constexpr std::uint32_t ask_version = 1;

constexpr std::uint64_t bit(int number) { return std::uint64_t{1} << number; }

constexpr std::uint64_t execute = bit(0);
constexpr std::uint64_t write_file = bit(1);
constexpr std::uint64_t read_file = bit(2);
constexpr std::uint64_t read_directory = bit(3);
constexpr std::uint64_t remove_directory = bit(4);
constexpr std::uint64_t remove_file = bit(5);
constexpr std::uint64_t make_device = bit(6) | bit(11);  // Character and block.
constexpr std::uint64_t make_directory = bit(7);
constexpr std::uint64_t make_file = bit(8);
constexpr std::uint64_t make_socket = bit(9);
constexpr std::uint64_t make_pipe = bit(10);
constexpr std::uint64_t make_link = bit(12);
constexpr std::uint64_t refer = bit(13);         // ABI 2: rename and link between directories.
constexpr std::uint64_t truncate = bit(14);      // ABI 3
constexpr std::uint64_t device_ioctl = bit(15);  // ABI 5

constexpr std::uint64_t bind_port = bit(0);  // ABI 4
constexpr std::uint64_t connect_port = bit(1);

constexpr std::uint64_t scope_abstract_sockets = bit(0);  // ABI 6
constexpr std::uint64_t scope_signals = bit(1);

constexpr std::uint64_t reading = read_file | read_directory;
// Devices are made by nobody.
constexpr std::uint64_t writing = write_file | remove_directory | remove_file | make_directory |
                                  make_file | make_socket | make_pipe | make_link | refer |
                                  truncate;
constexpr std::uint64_t of_files = execute | read_file | write_file | truncate | device_ioctl;

std::uint64_t handled_files(int abi) {
  std::uint64_t handled = reading | writing | execute | make_device | device_ioctl;
  if (abi < 2) handled &= ~refer;
  if (abi < 3) handled &= ~truncate;
  if (abi < 5) handled &= ~device_ioctl;
  return handled;
}

UniqueFd make_ruleset(const RulesetAttributes& attributes, std::size_t size) {
  UniqueFd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset) throw_errno("landlock_create_ruleset");
  return ruleset;
}

void allow_port(int ruleset, std::uint16_t number, std::uint64_t access) {
  const Port port{access, number};
  if (::syscall(SYS_landlock_add_rule, ruleset, rule_port, &port, 0) != 0)
    throw_errno("landlock_add_rule, port " + std::to_string(number));
}

void restrict_self(int ruleset) {
  if (::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) throw_errno("landlock_restrict_self");
}

}  // namespace

int landlock_abi() {
  const auto abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, ask_version);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

LandlockFiles::LandlockFiles() : handled_(handled_files(landlock_abi())) {
  RulesetAttributes attributes;
  attributes.handled_files = handled_;
  ruleset_ = make_ruleset(attributes, sizeof attributes.handled_files);
}

void LandlockFiles::allow(const PathRule& rule) {
  const UniqueFd at(::open(rule.path.c_str(), O_PATH | O_CLOEXEC));
  if (!at) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    throw_errno("open " + rule.path);
  }
  struct stat status {};
  PathBeneath beneath;
  beneath.parent = at.get();
  beneath.access = reading;
  if (rule.write) beneath.access |= writing | device_ioctl;
  if (rule.execute) beneath.access |= execute;
  if (::fstat(at.get(), &status) == 0 && !S_ISDIR(status.st_mode)) beneath.access &= of_files;
  beneath.access &= handled_;
  if (::syscall(SYS_landlock_add_rule, ruleset_.get(), rule_path_beneath, &beneath, 0) != 0)
    throw_errno("landlock_add_rule " + rule.path);
}

void LandlockFiles::enforce() const { restrict_self(ruleset_.get()); }

void restrict_ports(const PortRules& rules) {
  const int abi = landlock_abi();
  if (abi < 4) return;
  RulesetAttributes attributes;
  attributes.handled_ports =
      (rules.any_listen ? 0 : bind_port) | (rules.any_connect ? 0 : connect_port);
  std::size_t size = sizeof attributes.handled_files + sizeof attributes.handled_ports;
  if (abi >= 6 && rules.scope) {
    size = sizeof attributes;
    attributes.scoped = scope_abstract_sockets | scope_signals;
  }
  if (attributes.handled_ports == 0 && attributes.scoped == 0) return;
  const auto ruleset = make_ruleset(attributes, size);
  if (!rules.any_listen)
    for (const auto port : rules.listen) allow_port(ruleset.get(), port, bind_port);
  if (!rules.any_connect)
    for (const auto port : rules.connect) allow_port(ruleset.get(), port, connect_port);
  restrict_self(ruleset.get());
}

}  // namespace plugin_worker::sandbox
