#include "supervisor/attack/attack_targets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <climits>
#include <cstddef>
#include <cstring>
#include <fstream>

#include "supervisor/attack/host_sockets.h"
#include "supervisor/sandbox/protections.h"
#include "supervisor/sys/process_tree.h"
#include "supervisor/sys/random.h"

namespace supervisor::attack {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr mode_t everybodys = 0666;

std::string unique_name() {
  constexpr char digits[] = "0123456789abcdef";
  std::string name = "plugin-attack-";
  for (const unsigned char byte : sys::random_bytes(6)) {
    name += digits[byte >> 4];
    name += digits[byte & 15];
  }
  return name;
}

/// Nobody accepts: that the kernel completes the connection is enough.
template <typename Address>
sys::UniqueFd bound(const Address& address, socklen_t size, bool listening) {
  const auto* const any = reinterpret_cast<const sockaddr*>(&address);
  sys::UniqueFd socket(::socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  constexpr int some = 16;
  if (!socket || ::bind(socket.get(), any, size) != 0 ||
      (listening && ::listen(socket.get(), some) != 0))
    socket.reset();
  return socket;
}

sys::UniqueFd loopback(bool listening) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bound(address, sizeof address, listening);
}

sys::UniqueFd loopback6() {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return bound(address, sizeof address, true);
}

sys::UniqueFd abstract_socket(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  return bound(address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size()),
               true);
}

/// 0 when there is no such socket.
int port_of(const sys::UniqueFd& socket) {
  sockaddr_in6 address{};  // Its port is where that of sockaddr_in is.
  socklen_t size = sizeof address;
  if (!socket || ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return 0;
  return ntohs(address.sin6_port);
}

pid_t spawner_pid() {
  for (const auto child : sys::children_of(::getpid())) {
    std::string name;
    std::getline(std::ifstream("/proc/" + std::to_string(child) + "/comm"), name);
    if (name.starts_with("python")) return child;
  }
  return 0;
}

/// The device that the root directory is on; empty where it is none that has a
/// file.
std::string disk() {
  struct stat status {};
  if (::stat("/", &status) != 0) return {};
  std::error_code none;
  const auto link = fs::read_symlink("/sys/dev/block/" + std::to_string(major(status.st_dev)) +
                                         ":" + std::to_string(minor(status.st_dev)),
                                     none);
  const auto device = fs::path("/dev") / link.filename();
  return !link.empty() && fs::is_block_file(device, none) ? device.string() : std::string();
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

json::array texts(const google::protobuf::RepeatedPtrField<std::string>& list) {
  json::array array;
  for (const auto& text : list) array.emplace_back(text);
  return array;
}

}  // namespace

AttackTargets::AttackTargets()
    : name_(unique_name()),
      port_(loopback(true)),
      port6_(loopback6()),
      abstract_(abstract_socket(name_)) {
  const auto random = sys::random_bytes(sizeof segment_key_);
  std::memcpy(&segment_key_, random.data(), sizeof segment_key_);
  segment_key_ &= 0x7fffffff;  // As all languages read it.
  constexpr std::size_t page = 4096;
  segment_ = ::shmget(segment_key_, page, IPC_CREAT | IPC_EXCL | static_cast<int>(everybodys));
  // The umask has no say in who may open them.
  const auto queue = ::mq_open(("/" + name_).c_str(), O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC,
                               everybodys, nullptr);
  has_queue_ = queue >= 0 && ::fchmod(queue, everybodys) == 0;
  if (queue >= 0) ::mq_close(queue);
  const sys::UniqueFd shared(
      ::shm_open(("/" + name_).c_str(), O_CREAT | O_EXCL | O_RDWR, everybodys));
  has_shared_ = shared && ::fchmod(shared.get(), everybodys) == 0;
}

AttackTargets::~AttackTargets() {
  if (segment_ >= 0) ::shmctl(segment_, IPC_RMID, nullptr);
  ::mq_unlink(("/" + name_).c_str());
  ::shm_unlink(("/" + name_).c_str());
}

std::string AttackTargets::json(const AttackSubject& subject) const {
  json::array protections;
  for (const auto& state : subject.sandbox.protections())
    if (state.in_force()) protections.emplace_back(sandbox::protection_name(state.protection()));
  json::array services;
  for (const auto& path : known_host_sockets()) services.emplace_back(path);
  json::object values{
      {"protections", std::move(protections)},
      {"outbound", texts(subject.permissions.network().outbound())},
      {"exec", texts(subject.permissions.exec())},
      {"own_code", subject.code.string()},
      {"own_data", subject.data.string()},
      {"supervisor_pid", ::getpid()},
      {"supervisor_socket", subject.supervisor_socket.string()},
      {"sibling_code", subject.sibling_code.string()},
      {"sibling_data", subject.sibling_data.string()},
      {"sibling_launch", subject.sibling_launch.string()},
      {"abstract", abstract_ ? name_ : ""},
      {"queue", has_queue_ ? "/" + name_ : ""},
      {"shared", has_shared_ ? name_ : ""},
      {"services", std::move(services)},
      {"disk", disk()},
      {"host_name", host_name()},
  };
  json::array listen;
  for (const auto port : subject.permissions.network().listen()) listen.emplace_back(port);
  values["listen"] = std::move(listen);
  const auto number = [&values](const char* name, std::int64_t value) {
    if (value != 0) values[name] = value;
  };
  number("spawner_pid", spawner_pid());
  number("sibling_pid", subject.sibling_pid);
  number("port", port_of(port_));
  number("port6", port_of(port6_));
  number("free_port", port_of(loopback(false)));
  if (segment_ >= 0) number("segment", segment_key_);
  return json::serialize(values);
}

}  // namespace supervisor::attack
