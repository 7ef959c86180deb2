// Permissions as JSON and as single terms. Pure functions, callable from any
// thread. Source: the "Permissions" section of the plugin contract.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin_supervisor/v1/permissions.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::sandbox {

/// Reads the object that stands under "permissions" in a plugin.json; empty
/// text is no permissions. Fails with PERMISSIONS_INVALID; the message begins
/// with the path of the mistake ("permissions.network.listen[0]"). What is read
/// from what permissions_json() writes is the same message, byte for byte.
Outcome<v1::Permissions> parse_permissions(std::string_view json);

/// The object again, compact, without what is empty; "{}" when all is.
std::string permissions_json(const v1::Permissions& permissions);

/// One thing that can be granted: "network.listen" and "9192",
/// "limits.memory_mb" and "512". As text "network.listen=9192".
struct Term {
  std::string name;
  std::string value;

  [[nodiscard]] std::string text() const { return name + "=" + value; }
  friend bool operator==(const Term&, const Term&) = default;
};

/// All of them, in the order of the message. Without "runtime", which is no
/// privilege.
std::vector<Term> terms(const v1::Permissions& permissions);
std::vector<std::string> term_texts(const v1::Permissions& permissions);

/// What is named by "NAME=VALUE" texts, over `permissions`: a list gains an
/// entry, a limit is replaced. Fails with INVALID_REQUEST.
Outcome<v1::Permissions> with_terms(v1::Permissions permissions,
                                    const std::vector<std::string>& texts);

/// Without what is named; INVALID_REQUEST when something named is not there.
/// "NAME" alone names all entries of a list.
Outcome<v1::Permissions> without_terms(v1::Permissions permissions,
                                       const std::vector<std::string>& texts);

/// What `asked` holds that `granted` does not allow: no wildcard, no parent
/// directory and no higher limit covers it.
v1::Permissions not_granted(const v1::Permissions& asked, const v1::Permissions& granted);

/// Both together; of limits the higher.
v1::Permissions united(v1::Permissions one, const v1::Permissions& other);

/// Nothing in it that could be granted.
bool is_empty(const v1::Permissions& permissions);

/// Something of the host's network.
bool is_network_granted(const v1::Permissions& permissions);

}  // namespace supervisor::sandbox
