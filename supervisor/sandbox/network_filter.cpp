#include "supervisor/sandbox/network_filter.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "supervisor/sys/syscall.h"

namespace supervisor::sandbox {
namespace {

constexpr std::uint32_t most_rules = 16384;

// A key of the table. `prefix` counts the bits of what follows it that a rule is
// about: use and port always, then those of its range.
struct Key {
  std::uint32_t prefix = 0;
  std::uint8_t listen = 0;
  std::uint8_t unused = 0;
  std::uint16_t port = 0;  // As in packets.
  Address address{};
};
static_assert(sizeof(Key) == 24);
constexpr std::uint32_t bits_before_address = 32;
constexpr std::uint32_t all_bits = bits_before_address + 128;

Key key_of(const NetworkUse& use) {
  return {bits_before_address + use.range.bits, static_cast<std::uint8_t>(use.listen ? 1 : 0), 0,
          htons(use.port), use.range.address};
}

int bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::uint64_t pointer(const void* to) { return reinterpret_cast<std::uintptr_t>(to); }

// What one instruction of a program is (kernel documentation, bpf/
// instruction-set.rst). Registers: 0 the result, 1 to 5 arguments, 6 to 9 kept
// over calls, 10 the end of the stack.
using Instruction = bpf_insn;

Instruction instruction(int code, int to, int from, int offset, int immediate) {
  Instruction one{};
  one.code = static_cast<std::uint8_t>(code);
  one.dst_reg = static_cast<std::uint8_t>(to) & 0xf;
  one.src_reg = static_cast<std::uint8_t>(from) & 0xf;
  one.off = static_cast<std::int16_t>(offset);
  one.imm = immediate;
  return one;
}
Instruction set(int to, int number) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, number);
}
Instruction copy(int to, int from) {
  return instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}
Instruction add(int to, int number) {
  return instruction(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, number);
}
Instruction load_word(int to, int from, std::size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, to, from, static_cast<int>(offset), 0);
}
Instruction store(int size, int to, int offset, int from) {
  return instruction(BPF_STX | BPF_MEM | size, to, from, offset, 0);
}
Instruction store_number(int size, int to, int offset, int number) {
  return instruction(BPF_ST | BPF_MEM | size, to, 0, offset, number);
}
Instruction skip_if(int comparison, int what, int number, int count) {
  return instruction(BPF_JMP | comparison | BPF_K, what, 0, count, number);
}
Instruction call(int function) { return instruction(BPF_JMP | BPF_CALL, 0, 0, 0, function); }
Instruction leave() { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

constexpr int result = 0;
constexpr int context = 6;
constexpr int stack = 10;
constexpr int key = -static_cast<int>(sizeof(Key));
constexpr int key_port = key + static_cast<int>(offsetof(Key, port));
constexpr int key_address = key + static_cast<int>(offsetof(Key, address));

class Program {
 public:
  explicit Program(int table) : table_(table) { add_all({copy(context, 1)}); }

  /// Makes the key of what is asked for, with the port as it is.
  void make_key(bool listen, bool ipv6) {
    add_all({store_number(BPF_W, stack, key, all_bits),
             store_number(BPF_W, stack, key + 4, listen ? 1 : 0)});
    add_all({load_word(2, context, offsetof(bpf_sock_addr, user_port)),
             store(BPF_H, stack, key_port, 2)});
    for (int word = 0; word < 4; ++word) {
      const int place = key_address + 4 * word;
      if (ipv6) {
        add_all({load_word(2, context, offsetof(bpf_sock_addr, user_ip6) + 4U * word),
                 store(BPF_W, stack, place, 2)});
      } else if (word == 3) {
        add_all({load_word(2, context, offsetof(bpf_sock_addr, user_ip4)),
                 store(BPF_W, stack, place, 2)});
      } else {
        const auto mapped = static_cast<int>(word == 2 ? htonl(0xffff) : 0);
        add_all({store_number(BPF_W, stack, place, mapped)});
      }
    }
  }

  /// Allows what the table allows.
  void look_up() {
    Instruction low = instruction(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, table_);
    add_all({low, instruction(0, 0, 0, 0, 0), copy(2, stack), add(2, key),
             call(BPF_FUNC_map_lookup_elem), skip_if(BPF_JEQ, result, 0, 4),
             load_word(1, result, 0), skip_if(BPF_JNE, 1, 1, 2), set(result, 1), leave()});
  }

  void forget_port() { add_all({store_number(BPF_H, stack, key_port, 0)}); }

  /// A datagram socket may take whichever port is free: it has to, to send.
  void allow_any_free_port_of_datagrams() {
    add_all({load_word(2, context, offsetof(bpf_sock_addr, type)),
             skip_if(BPF_JNE, 2, SOCK_DGRAM, 4),
             load_word(2, context, offsetof(bpf_sock_addr, user_port)), skip_if(BPF_JNE, 2, 0, 2),
             set(result, 1), leave()});
  }

  void refuse() { add_all({set(result, 0), leave()}); }

  [[nodiscard]] sys::UniqueFd load(bpf_attach_type where) const {
    bpf_attr attributes{};
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
    attributes.expected_attach_type = where;
    attributes.insns = pointer(instructions_.data());
    attributes.insn_cnt = static_cast<std::uint32_t>(instructions_.size());
    attributes.license = pointer("Apache-2.0");
    return sys::UniqueFd(
        sys::checked("bpf, a program", [&] { return bpf(BPF_PROG_LOAD, attributes); }));
  }

 private:
  void add_all(std::initializer_list<Instruction> more) {
    instructions_.insert(instructions_.end(), more);
  }

  const int table_;
  std::vector<Instruction> instructions_;
};

sys::UniqueFd make_table() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_LPM_TRIE;
  attributes.key_size = sizeof(Key);
  attributes.value_size = sizeof(std::uint32_t);
  attributes.max_entries = most_rules;
  attributes.map_flags = BPF_F_NO_PREALLOC;
  return sys::UniqueFd(
      sys::checked("bpf, a table", [&] { return bpf(BPF_MAP_CREATE, attributes); }));
}

struct Hook {
  bpf_attach_type where;
  bool listen;
  bool ipv6;
};
constexpr std::array hooks{
    Hook{BPF_CGROUP_INET4_CONNECT, false, false}, Hook{BPF_CGROUP_INET6_CONNECT, false, true},
    Hook{BPF_CGROUP_UDP4_SENDMSG, false, false},  Hook{BPF_CGROUP_UDP6_SENDMSG, false, true},
    Hook{BPF_CGROUP_INET4_BIND, true, false},     Hook{BPF_CGROUP_INET6_BIND, true, true}};

}  // namespace

bool NetworkFilter::is_over(const std::filesystem::path& group) {
  const sys::UniqueFd directory(::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return false;
  for (const auto& hook : hooks) {
    bpf_attr attributes{};
    attributes.query.target_fd = static_cast<std::uint32_t>(directory.get());
    attributes.query.attach_type = hook.where;
    if (bpf(BPF_PROG_QUERY, attributes) != 0 || attributes.query.prog_cnt == 0) return false;
  }
  return true;
}

NetworkFilter::NetworkFilter(const std::filesystem::path& group, const NetworkRules& rules)
    : table_(make_table()) {
  set(rules);
  const sys::UniqueFd directory(sys::checked("open " + group.string(), [&] {
    return ::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }));
  for (const auto& hook : hooks) {
    Program program(table_.get());
    program.make_key(hook.listen, hook.ipv6);
    program.look_up();
    if (hook.listen) {
      program.allow_any_free_port_of_datagrams();
    } else {
      program.forget_port();
      program.look_up();
    }
    program.refuse();
    const auto loaded = program.load(hook.where);
    // Without flags it takes the place of the one that is there.
    bpf_attr attributes{};
    attributes.target_fd = static_cast<std::uint32_t>(directory.get());
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(loaded.get());
    attributes.attach_type = hook.where;
    sys::checked("bpf, attach to " + group.string(),
                 [&] { return bpf(BPF_PROG_ATTACH, attributes); });
  }
}

void NetworkFilter::set(const NetworkRules& rules) {
  const auto change = [this](int command, const NetworkUse& use, bool allowed) {
    const Key key = key_of(use);
    const std::uint32_t value = allowed ? 1 : 0;
    bpf_attr attributes{};
    attributes.map_fd = static_cast<std::uint32_t>(table_.get());
    attributes.key = pointer(&key);
    if (command == BPF_MAP_UPDATE_ELEM) attributes.value = pointer(&value);
    sys::checked("bpf, a rule", [&] { return bpf(command, attributes); });
  };
  // What is refused first, so that nothing is open meanwhile that must not be.
  for (const bool allowed : {false, true}) {
    for (const auto& [use, allow] : rules) {
      const auto known = rules_.find(use);
      if (allow != allowed || (known != rules_.end() && known->second == allow)) continue;
      change(BPF_MAP_UPDATE_ELEM, use, allow);
      rules_[use] = allow;
    }
  }
  for (auto known = rules_.begin(); known != rules_.end();) {
    if (rules.contains(known->first)) {
      ++known;
      continue;
    }
    change(BPF_MAP_DELETE_ELEM, known->first, false);
    known = rules_.erase(known);
  }
}

}  // namespace supervisor::sandbox
