// What the gateway makes of what the supervisor tells it, much of which is the
// words of plugins. The first byte says which message the rest is.
#include "api_gateway/job_json.h"
#include "api_gateway/plugin_json.h"
#include "api_gateway/url.h"
#include "plugin_supervisor/v1/jobs_service.pb.h"
#include "supervisor/sys/json_slice.h"
#include "tests/fuzz/expect.h"

namespace {

namespace v1 = plugin_supervisor::v1;
namespace sys = supervisor::sys;

bool is_json_or_empty(const std::string& json) {
  return json.empty() || sys::json_error(json).empty();
}

// The supervisor lets nothing through that is not JSON where JSON is expected.
bool is_sound(const v1::PluginMetadata& metadata) {
  return is_json_or_empty(metadata.fields_json()) && is_json_or_empty(metadata.actions_json()) &&
         is_json_or_empty(metadata.ui_schema_json()) &&
         is_json_or_empty(metadata.navigation_json()) && is_json_or_empty(metadata.pages_json()) &&
         is_json_or_empty(metadata.permissions_json());
}

bool is_sound(const v1::Plugin& plugin) {
  return is_sound(plugin.metadata()) && is_json_or_empty(plugin.settings_json());
}

void expect_json(const std::string& written) {
  fuzz::expect(sys::json_error(written).empty(), "an answer is JSON", written);
  fuzz::expect(gateway::is_utf8(written), "an answer is UTF-8", written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const void* const bytes = data + 1;
  const int count = static_cast<int>(size - 1);
  std::string written;
  v1::Plugin plugin;
  v1::Job job;
  v1::LogLine line;
  v1::WhyResponse why;
  v1::Failure failure;
  switch (data[0] % 5) {
    case 0:
      if (!plugin.ParseFromArray(bytes, count) || !is_sound(plugin)) return 0;
      gateway::append_plugin(written, plugin, "host.example:9195",
                             size % 2 == 0 ? gateway::Secrets::shown : gateway::Secrets::masked);
      break;
    case 1:
      if (!job.ParseFromArray(bytes, count) || !is_json_or_empty(job.result_json())) return 0;
      gateway::append_job(written, job);
      break;
    case 2:
      if (!line.ParseFromArray(bytes, count)) return 0;
      gateway::append_log_line(written, line);
      break;
    case 3:
      if (!why.ParseFromArray(bytes, count) || !is_sound(why.plugin())) return 0;
      gateway::append_why(written, why);
      break;
    default:
      if (!failure.ParseFromArray(bytes, count)) return 0;
      written = gateway::error_json(failure);
  }
  expect_json(written);
  return 0;
}
