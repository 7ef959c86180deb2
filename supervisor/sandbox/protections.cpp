#include "supervisor/sandbox/protections.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "supervisor/sys/short_text.h"

namespace supervisor::sandbox {
namespace {

constexpr int protections_of_a_tier = 10;  // By which their numbers are grouped.

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

Failure invalid(const std::string& message) {
  std::string known = "all";
  for (const auto protection : all_protections()) known += ", " + protection_name(protection);
  return make_failure(v1::REASON_INVALID_REQUEST, "sandbox", message + ".",
                      "The protections are " + known +
                          "; each can be off, preferred or required, as in files=required.");
}

const std::map<std::string_view, ProtectionMode, std::less<>>& modes_by_name() {
  static const std::map<std::string_view, ProtectionMode, std::less<>> modes{
      {"off", ProtectionMode::off},
      {"preferred", ProtectionMode::preferred},
      {"required", ProtectionMode::required}};
  return modes;
}

}  // namespace

std::string protection_name(v1::Protection protection) {
  return lower_without_prefix(v1::Protection_Name(protection), "PROTECTION_");
}

const std::vector<v1::Protection>& all_protections() {
  static const auto all = [] {
    std::vector<v1::Protection> list;
    const auto& values = *v1::Protection_descriptor();
    for (int i = 0; i < values.value_count(); ++i) {
      if (values.value(i)->number() != 0)
        list.push_back(static_cast<v1::Protection>(values.value(i)->number()));
    }
    return list;
  }();
  return all;
}

int tier_of(v1::Protection protection) {
  return static_cast<int>(protection) / protections_of_a_tier;
}

ProtectionModes::ProtectionModes(ProtectionMode all) {
  for (const auto protection : all_protections()) modes_[protection] = all;
}

ProtectionMode ProtectionModes::of(v1::Protection protection) const {
  const auto found = modes_.find(protection);
  return found == modes_.end() ? ProtectionMode::off : found->second;
}

std::vector<v1::Protection> ProtectionModes::wanted() const {
  std::vector<v1::Protection> list;
  for (const auto& [protection, mode] : modes_)
    if (mode != ProtectionMode::off) list.push_back(protection);
  return list;
}

std::string ProtectionModes::text() const {
  std::string text;
  for (const auto& [protection, mode] : modes_) {
    if (mode == ProtectionMode::preferred) continue;
    text += (text.empty() ? "" : ",") + protection_name(protection) +
            (mode == ProtectionMode::off ? "=off" : "=required");
  }
  return text;
}

std::vector<v1::Protection> wanted_namespaces(const ProtectionModes& modes) {
  std::vector<v1::Protection> wanted;
  for (const auto protection :
       {v1::PROTECTION_PROCESSES, v1::PROTECTION_ROOT, v1::PROTECTION_IPC, v1::PROTECTION_HOST_NAME,
        v1::PROTECTION_GROUPS, v1::PROTECTION_NETWORK}) {
    if (modes.of(protection) != ProtectionMode::off) wanted.push_back(protection);
  }
  return wanted;
}

Outcome<ProtectionModes> ProtectionModes::with(std::string_view changes) const {
  auto changed = *this;
  while (!trimmed(changes).empty()) {
    const auto comma = std::min(changes.find(','), changes.size());
    const auto change = trimmed(changes.substr(0, comma));
    changes.remove_prefix(std::min(changes.size(), comma + 1));
    const auto equals = std::min(change.find('='), change.size());
    const std::string name(trimmed(change.substr(0, equals)));
    const auto mode =
        modes_by_name().find(trimmed(change.substr(std::min(change.size(), equals + 1))));
    if (mode == modes_by_name().end())
      return invalid("\"" + sys::shortened(change) + "\" names no mode");
    bool known = false;
    for (auto& [protection, current] : changed.modes_) {
      if (name != "all" && name != protection_name(protection)) continue;
      current = mode->second;
      known = true;
    }
    if (!known) return invalid("There is no protection \"" + sys::shortened(name) + "\"");
  }
  return changed;
}

}  // namespace supervisor::sandbox
