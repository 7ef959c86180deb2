#include "supervisor/sandbox/seccomp_filter.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "supervisor/sandbox/system_calls.h"
#include "supervisor/sys/unique_fd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace supervisor::sandbox {
namespace {

constexpr std::uint64_t low_half = 0xffffffff;  // What the kernel takes of an int argument.
constexpr std::uint64_t new_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                         CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::uint64_t socket_type_mask = 0xf;

void check(int error, const char* what) {
  if (error < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(-error));
}

class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : context_(seccomp_init(otherwise), seccomp_release) {
    if (!context_) throw std::runtime_error("seccomp_init");
    // The 32-bit calls of a 64-bit machine.
    set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    set(SCMP_FLTATR_CTL_NNP, 0);
    set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // A tree rather than a line.
  }

  template <typename... Conditions>
  void add(std::uint32_t action, const char* name, Conditions... conditions) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || number < 0) return;  // Not here.
    const int error = seccomp_rule_add_exact(context_.get(), action, number, sizeof...(conditions),
                                             conditions...);
    check(error == -EEXIST ? 0 : error, name);
  }

  [[nodiscard]] std::string program() const {
    const sys::UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!file) throw std::runtime_error("memfd_create");
    check(seccomp_export_bpf(context_.get(), file.get()), "seccomp_export_bpf");
    std::string bytes(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)), '\0');
    if (::pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("pread");
    return bytes;
  }

 private:
  void set(scmp_filter_attr attribute, std::uint32_t value) {
    check(seccomp_attr_set(context_.get(), attribute, value), "seccomp_attr_set");
  }
  std::unique_ptr<void, decltype(&seccomp_release)> context_;
};

std::string allowed_program() {
  Filter filter(SCMP_ACT_ERRNO(ENOSYS));
  for (const auto* name : allowed_system_calls()) filter.add(SCMP_ACT_ALLOW, name);
  // Allowed here, and refused with EPERM by the other program.
  for (const auto* name : forbidden_system_calls()) filter.add(SCMP_ACT_ALLOW, name);
  // To ask, and what Linux programs are.
  filter.add(SCMP_ACT_ALLOW, "personality", SCMP_A0_64(SCMP_CMP_EQ, 0xffffffff));
  filter.add(SCMP_ACT_ALLOW, "personality", SCMP_A0_64(SCMP_CMP_EQ, 0));
  return filter.program();
}

/// Files that would run as somebody else, on the host that sees them too. Of
/// openat2() the mode cannot be seen here.
void refuse_set_user_id(Filter& filter) {
  const auto no = SCMP_ACT_ERRNO(EPERM);
  for (const std::uint64_t bit : {S_ISUID, S_ISGID}) {
    for (const auto* name : {"chmod", "fchmod", "creat", "mknod"})
      filter.add(no, name, SCMP_A1_64(SCMP_CMP_MASKED_EQ, bit, bit));
    for (const auto* name : {"fchmodat", "mknodat"})
      filter.add(no, name, SCMP_A2_64(SCMP_CMP_MASKED_EQ, bit, bit));
    filter.add(no, "open",
               SCMP_A1_64(SCMP_CMP_MASKED_EQ, std::uint64_t{O_CREAT}, std::uint64_t{O_CREAT}),
               SCMP_A2_64(SCMP_CMP_MASKED_EQ, bit, bit));
    filter.add(no, "openat",
               SCMP_A2_64(SCMP_CMP_MASKED_EQ, std::uint64_t{O_CREAT}, std::uint64_t{O_CREAT}),
               SCMP_A3_64(SCMP_CMP_MASKED_EQ, bit, bit));
  }
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "openat2");
}

void refuse_sockets(Filter& filter, bool internet, bool datagrams) {
  const auto family = [&filter](std::uint32_t action, std::uint64_t number) {
    filter.add(action, "socket", SCMP_A0_64(SCMP_CMP_MASKED_EQ, low_half, number));
  };
  for (const std::uint64_t number : {AF_INET, AF_INET6}) {
    if (!internet) {
      family(SCMP_ACT_ERRNO(EACCES), number);
      continue;
    }
    if (!datagrams)
      filter.add(SCMP_ACT_ERRNO(EACCES), "socket", SCMP_A0_64(SCMP_CMP_MASKED_EQ, low_half, number),
                 SCMP_A1_64(SCMP_CMP_MASKED_EQ, socket_type_mask, SOCK_DGRAM));
    for (const std::uint64_t type : {SOCK_RAW, SOCK_RDM, SOCK_DCCP, SOCK_PACKET})
      filter.add(SCMP_ACT_ERRNO(EPERM), "socket", SCMP_A0_64(SCMP_CMP_MASKED_EQ, low_half, number),
                 SCMP_A1_64(SCMP_CMP_MASKED_EQ, socket_type_mask, type));
    // Ping sockets, and protocols that no plugin needs the kernel to parse.
    for (const std::uint64_t protocol : {1, 33, 58, 115, 132, 136, 255})
      filter.add(SCMP_ACT_ERRNO(EPROTONOSUPPORT), "socket",
                 SCMP_A0_64(SCMP_CMP_MASKED_EQ, low_half, number),
                 SCMP_A2_64(SCMP_CMP_MASKED_EQ, low_half, protocol));
  }
  constexpr std::uint64_t most_families = 256;  // Those of today and some to come.
  for (std::uint64_t number = 0; number < most_families; ++number) {
    if (number != AF_UNIX && number != AF_INET && number != AF_INET6)
      family(SCMP_ACT_ERRNO(EAFNOSUPPORT), number);
  }
}

std::string refused_program(const SeccompPolicy& policy) {
  Filter filter(SCMP_ACT_ALLOW);
  const auto no = SCMP_ACT_ERRNO(EPERM);
  const auto not_granted = SCMP_ACT_ERRNO(EACCES);
  for (const auto* name : forbidden_system_calls()) filter.add(no, name);

  // A pointer to its flags hides them; the C library then calls clone().
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  for (std::uint64_t flag = 1; flag <= new_namespaces; flag <<= 1) {
    if ((flag & (new_namespaces | CLONE_PARENT)) != 0)
      filter.add(no, "clone", SCMP_A0_64(SCMP_CMP_MASKED_EQ, flag, flag));
  }
  // Typing into a terminal that is somebody else's.
  for (const std::uint64_t request : {TIOCSTI, TIOCLINUX})
    filter.add(no, "ioctl", SCMP_A1_64(SCMP_CMP_MASKED_EQ, low_half, request));
  for (const std::uint64_t option : {PR_SET_MM, PR_SET_CHILD_SUBREAPER})
    filter.add(no, "prctl", SCMP_A0_64(SCMP_CMP_MASKED_EQ, low_half, option));
  // Not to be looked into may be asked for: an exec has undone it.
  filter.add(no, "prctl", SCMP_A0_64(SCMP_CMP_MASKED_EQ, low_half, std::uint64_t{PR_SET_DUMPABLE}),
             SCMP_A1_64(SCMP_CMP_NE, std::uint64_t{0}));

  // By which a full data directory is kept from growing (limits/file_growth.h).
  filter.add(no, "setrlimit", SCMP_A0_64(SCMP_CMP_MASKED_EQ, low_half, RLIMIT_FSIZE));
  filter.add(no, "prlimit64", SCMP_A1_64(SCMP_CMP_MASKED_EQ, low_half, RLIMIT_FSIZE),
             SCMP_A2_64(SCMP_CMP_NE, 0));

  refuse_set_user_id(filter);
  refuse_sockets(filter, policy.internet, policy.datagrams);
  if (!policy.execute) {
    filter.add(not_granted, "execve");
    filter.add(not_granted, "execveat");
  }
  if (!policy.ipc) {
    for (const auto* name : {"mq_open", "msgget", "semget", "shmget"})
      filter.add(not_granted, name);
  }
  filter.add(not_granted, "memfd_create",
             SCMP_A1_64(SCMP_CMP_MASKED_EQ, std::uint64_t{MFD_NOEXEC_SEAL}, std::uint64_t{0}));
  return filter.program();
}

Failure not_made(const std::exception& error) {
  return make_failure(
      v1::REASON_INTERNAL, "seccomp",
      std::string("The filter of system calls cannot be made: ") + error.what() + ".");
}

}  // namespace

Outcome<std::string> compile_allowed_calls() {
  try {
    return allowed_program();
  } catch (const std::exception& error) {
    return not_made(error);
  }
}

Outcome<std::string> compile_refused_calls(const SeccompPolicy& policy) {
  try {
    return refused_program(policy);
  } catch (const std::exception& error) {
    return not_made(error);
  }
}

}  // namespace supervisor::sandbox
