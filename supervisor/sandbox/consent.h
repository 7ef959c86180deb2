// What becomes of the permissions that a plugin asks for: an admin's word, or
// without one the default of its runtime profile. A value; computes when it is
// changed, so that it can be shown often.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "plugin_supervisor/v1/plugin.pb.h"

namespace supervisor::sandbox {

namespace v1 = plugin_supervisor::v1;

/// What an admin has granted one plugin.
struct Grant {
  v1::Permissions granted;
  std::string by;  // As the caller named itself.
  std::int64_t unix_ms = 0;
};

class Consent {
 public:
  /// What it asks for: nothing when it declares none; and what it may do under
  /// its profile when it asks for nothing.
  void set_asked(std::optional<v1::Permissions> asked, v1::Permissions profile_default);
  /// What an admin has granted it.
  void set_grant(Grant grant);

  [[nodiscard]] const std::optional<v1::Permissions>& asked() const { return asked_; }
  [[nodiscard]] const std::optional<Grant>& grant() const { return grant_; }

  /// What its next worker is to have: what was granted, also beyond what it
  /// asks; nothing when it asks and was granted nothing; the profile's default
  /// when it does not ask. The runtime is as it asks.
  [[nodiscard]] const v1::Permissions& effective() const { return effective_; }
  /// Asked, and not granted.
  [[nodiscard]] const v1::Permissions& waiting() const { return waiting_; }

  /// As the API shows it. `in_force`: of its worker, null when there is none.
  /// Nothing when there is nothing to tell.
  [[nodiscard]] std::optional<v1::PermissionsReport> report(const v1::Permissions* in_force) const;

 private:
  void settle();

  std::optional<v1::Permissions> asked_;
  std::optional<Grant> grant_;
  v1::Permissions profile_default_;
  v1::Permissions effective_;
  v1::Permissions waiting_;
};

}  // namespace supervisor::sandbox
