// The file of runtime profiles, in TOML.
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sandbox/protections.h"
#include "supervisor/spawner/profile_file.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace supervisor;
  const auto profiles = spawner::parse_profiles(fuzz::text_of(data, size), {});
  if (profiles.has_error()) return 0;
  fuzz::expect(profiles->contains("standalone"), "the built-in profile is always there");
  for (const auto& [name, profile] : *profiles) {
    fuzz::expect(profile.python.is_absolute(), "an interpreter's path is absolute");
    fuzz::expect(sandbox::parse_permissions(profile.permissions_json).has_value(),
                 "permissions of a profile can be read", profile.permissions_json);
    fuzz::expect(sandbox::ProtectionModes().with(profile.sandbox).has_value(),
                 "protections of a profile can be read", profile.sandbox);
  }
  return 0;
}
