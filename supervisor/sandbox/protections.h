// Which protections a worker is to have, and how much that matters.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "plugin_supervisor/v1/sandbox.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::sandbox {

enum class ProtectionMode {
  off,        // Not tried.
  preferred,  // Had where it can be had; what is missing is told.
  required,   // Without it there is no start.
};

/// "no_new_privileges" for PROTECTION_NO_NEW_PRIVILEGES.
std::string protection_name(v1::Protection protection);

/// All there are, lowest tier first.
const std::vector<v1::Protection>& all_protections();

/// T0 to T3: the lowest tier that it belongs to, as a number.
int tier_of(v1::Protection protection);

/// A mode for each protection. A value.
class ProtectionModes {
 public:
  explicit ProtectionModes(ProtectionMode all = ProtectionMode::preferred);

  [[nodiscard]] ProtectionMode of(v1::Protection protection) const;
  /// Those that are not off.
  [[nodiscard]] std::vector<v1::Protection> wanted() const;

  /// These with `changes` over them: "files=off,network=required"; "all" names
  /// every protection. Fails with INVALID_REQUEST.
  [[nodiscard]] Outcome<ProtectionModes> with(std::string_view changes) const;

  /// What with() makes of the default the same as these.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const ProtectionModes&, const ProtectionModes&) = default;

 private:
  std::map<v1::Protection, ProtectionMode> modes_;
};

/// Those that are made, or begun, before it is known which plugin a worker is for.
std::vector<v1::Protection> wanted_ahead(const ProtectionModes& modes);

}  // namespace supervisor::sandbox
