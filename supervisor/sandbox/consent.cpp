#include "supervisor/sandbox/consent.h"

#include "supervisor/sandbox/permissions.h"

namespace supervisor::sandbox {
namespace {

bool is_same(const v1::Permissions& one, const v1::Permissions& other) {
  return one.SerializeAsString() == other.SerializeAsString();
}

}  // namespace

void Consent::set_asked(std::optional<v1::Permissions> asked, v1::Permissions profile_default) {
  asked_ = std::move(asked);
  profile_default_ = std::move(profile_default);
  settle();
}

void Consent::set_grant(Grant grant) {
  grant_ = std::move(grant);
  settle();
}

void Consent::settle() {
  effective_.Clear();
  if (grant_) {
    effective_ = grant_->granted;
  } else if (!asked_ || is_empty(*asked_)) {
    effective_ = profile_default_;
  }
  effective_.clear_runtime();
  if (asked_ && asked_->has_runtime()) *effective_.mutable_runtime() = asked_->runtime();
  waiting_.Clear();
  if (!asked_) return;
  waiting_ = not_granted(*asked_, effective_);
  if (is_empty(waiting_)) waiting_.Clear();
}

std::optional<v1::PermissionsReport> Consent::report(const v1::Permissions* in_force) const {
  const bool outdated = in_force != nullptr && !is_same(*in_force, effective_);
  if (!asked_ && !grant_ && !outdated && effective_.ByteSizeLong() == 0) return std::nullopt;
  v1::PermissionsReport report;
  *report.mutable_effective() = in_force == nullptr ? effective_ : *in_force;
  report.set_outdated(outdated);
  if (asked_) *report.mutable_asked() = *asked_;
  if (waiting_.ByteSizeLong() > 0) *report.mutable_waiting() = waiting_;
  if (grant_) {
    *report.mutable_granted() = grant_->granted;
    report.set_granted_by(grant_->by);
    report.set_granted_unix_ms(grant_->unix_ms);
  }
  return report;
}

}  // namespace supervisor::sandbox
