// What a plugin asks for, what it was granted, and terms of the command line:
// four parts with a NUL between them, asked, granted, one term per line, and
// protections.
#include "supervisor/sandbox/permissions.h"

#include "supervisor/catalog/utf8.h"
#include "supervisor/sandbox/consent.h"
#include "supervisor/sandbox/protections.h"
#include "tests/fuzz/expect.h"

namespace {

using namespace supervisor;
using fuzz::expect;
using sandbox::permissions_json;

// gRPC sends nothing that is not UTF-8, and loses all that it stands in.
void check_mistake(const Failure& mistake, std::string_view of) {
  expect(catalog::is_utf8(mistake.message()) || !catalog::is_utf8(of), "a mistake can be told",
         mistake.message());
}

v1::Permissions read(std::string_view json) {
  auto permissions = sandbox::parse_permissions(json);
  if (permissions.has_error()) {
    check_mistake(permissions.error(), json);
    return {};
  }
  const auto written = permissions_json(*permissions);
  const auto again = sandbox::parse_permissions(written);
  expect(again.has_value(), "permissions that are written can be read", written);
  expect(permissions_json(*again) == written, "permissions read back the same", written);
  expect(sandbox::is_empty(sandbox::not_granted(*again, *permissions)) &&
             sandbox::is_empty(sandbox::not_granted(*permissions, *again)),
         "what was stored covers what it was made of", written);
  return *permissions;
}

void check_consent(const v1::Permissions& asked, const v1::Permissions& granted) {
  const auto both = sandbox::united(granted, asked);
  expect(sandbox::is_empty(sandbox::not_granted(asked, both)), "both cover what is asked",
         permissions_json(both));
  expect(sandbox::is_empty(sandbox::not_granted(granted, both)), "both cover what was granted",
         permissions_json(both));
  sandbox::Consent consent;
  consent.set_asked(asked, {});
  expect(sandbox::is_empty(consent.effective()), "nothing is had before it is granted");
  consent.set_grant({both, "somebody", 1});
  expect(sandbox::is_empty(consent.waiting()), "what is granted does not wait",
         permissions_json(consent.waiting()));
  expect(consent.report(&granted).has_value(), "a grant is told of");
}

void check_terms(const v1::Permissions& permissions, std::string_view lines) {
  std::vector<std::string> texts;
  for (const auto line : fuzz::parts_of(lines, '\n', 8))
    if (!line.empty()) texts.emplace_back(line);
  const auto more = sandbox::with_terms(permissions, texts);
  if (more.has_value())
    expect(sandbox::is_empty(sandbox::not_granted(permissions, *more)) || !texts.empty(),
           "a grant takes nothing away");
  const auto less = sandbox::without_terms(permissions, texts);
  if (less.has_value())
    expect(sandbox::is_empty(sandbox::not_granted(*less, permissions)),
           "what is left was there before", permissions_json(*less));
  for (const auto& term : sandbox::terms(permissions)) {
    const auto without = sandbox::without_terms(permissions, {term.text()});
    expect(without.has_value(), "what is granted can be revoked", term.text());
  }
}

void check_protections(std::string_view text) {
  const auto modes = sandbox::ProtectionModes().with(text);
  if (modes.has_error()) return check_mistake(modes.error(), text);
  const auto again = sandbox::ProtectionModes().with(modes->text());
  expect(again.has_value() && *again == *modes, "protections read back the same", modes->text());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parts = fuzz::parts_of(fuzz::text_of(data, size), '\0', 4);
  const auto asked = read(parts[0]);
  const auto granted = read(parts[1]);
  check_consent(asked, granted);
  check_terms(asked, parts[2]);
  check_protections(parts[3]);
  return 0;
}
