// What a supervisor finds of the one before it: a launch record, and after a
// mark of four bytes the record that the worker's init has written.
#include "plugin_supervisor/v1/launch_record.pb.h"
#include "supervisor/lifecycle/exit_record.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sandbox/protections.h"
#include "supervisor/sys/plugin_options.h"
#include "tests/fuzz/expect.h"

namespace {

using namespace supervisor;
using fuzz::expect;

constexpr std::string_view mark = "\n--\n";

void check_launch(std::string_view bytes) {
  v1::LaunchRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto modes = sandbox::ProtectionModes().with(record.sandbox());
  if (modes.has_value())
    expect(sandbox::ProtectionModes().with(modes->text()).has_value(),
           "protections that were read can be written down");
  sys::options_failure(record.options());
  sys::plugin_options_json(record.options(), true);
  // As for any worker that runs: what it may do, beside what it was granted since.
  const auto written = sandbox::permissions_json(record.permissions());
  sandbox::not_granted(record.permissions(), record.permissions());
  const auto read = sandbox::parse_permissions(written);
  if (read.has_value()) sandbox::united(*read, {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::text_of(data, size);
  const auto end = std::min(input.find(mark), input.size());
  check_launch(input.substr(0, end));
  const auto text = input.substr(std::min(input.size(), end + mark.size()));
  const auto exit = lifecycle::ExitRecord::parse(std::string(text));
  expect(text.find("began") != std::string_view::npos || exit.init_pid == 0,
         "an init that did not begin has no process");
  return 0;
}
