#include "supervisor/catalog/legacy_inspector.h"

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "supervisor/catalog/entry_rules.h"
#include "supervisor/catalog/interpreter_process.h"
#include "supervisor/catalog/json_document.h"
#include "supervisor/catalog/metadata_rules.h"

namespace supervisor::catalog {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::size_t max_answer_bytes = std::size_t{2} << 20;

struct Answer {
  std::string output;
  bool too_long = false;
  sys::ExitStatus end;
};

// All that the process writes, up to the bound, and how it ended.
asio::awaitable<Answer> answer_of(InterpreterProcess& process) {
  const auto executor = co_await asio::this_coro::executor;
  Answer answer;
  asio::posix::stream_descriptor output(executor, process.take_output().release());
  std::array<char, 65536> buffer{};
  for (;;) {
    const auto [error, count] =
        co_await output.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    answer.output.append(buffer.data(), count);
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    if (error) break;
    if (answer.output.size() > max_answer_bytes) {
      answer.too_long = true;
      process.kill();
      break;
    }
  }
  asio::posix::stream_descriptor end(executor, process.end_descriptor().release());
  co_await end.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
  answer.end = process.reap();
  co_return answer;
}

std::string how_it_ended(const sys::ExitStatus& end) {
  return end.signalled ? "was ended by " + sys::signal_name(end.code)
                       : "ended with code " + std::to_string(end.code);
}

void add_texts(const json::object& answer, std::string_view member,
               std::vector<std::string>& warnings) {
  const auto* texts = answer.if_contains(member);
  if (texts == nullptr || !texts->is_array()) return;
  for (const auto& text : texts->get_array())
    if (text.is_string()) add_warning(warnings, std::string(text.get_string()));
}

void add_computed(const json::object& answer, std::vector<std::string>& warnings) {
  const auto* computed = answer.if_contains("_computed");
  if (computed == nullptr || !computed->is_array() || computed->get_array().empty()) return;
  std::string names;
  for (const auto& name : computed->get_array())
    if (name.is_string()) names += (names.empty() ? "" : ", ") + std::string(name.get_string());
  add_warning(warnings, "computed by the code, so known only once the plugin is enabled: " + names);
}

std::vector<std::string> arguments_for(const CatalogEntry& entry, const InspectorOptions& options) {
  std::vector<std::string> arguments{
      "-I", "-S", (options.shim_dir / "plugin_worker" / "inspect_source.py").string()};
  if (entry.has_plugin_py) arguments.push_back((entry.directory / "plugin.py").string());
  if (entry.has_package) arguments.push_back((entry.directory / "__init__.py").string());
  return arguments;
}

// Returns why nothing is known of the class; empty when all went well.
asio::awaitable<std::string> inspect(CatalogEntry& entry, const InspectorOptions& options) {
  using namespace asio::experimental::awaitable_operators;
  auto started = InterpreterProcess::start(options.python, arguments_for(entry, options), {});
  if (!started) co_return started.error().message();
  auto process = std::move(started.value());
  asio::steady_timer deadline(co_await asio::this_coro::executor, options.deadline);
  auto outcome = co_await (answer_of(process) || deadline.async_wait(asio::use_awaitable));
  if (outcome.index() == 1)
    co_return "the parser took longer than " + std::to_string(options.deadline.count()) + " ms";
  const auto& answer = std::get<0>(outcome);
  if (answer.too_long) co_return "the parser's answer is too long";
  if (answer.end.signalled || answer.end.code != 0)
    co_return "the parser " + how_it_ended(answer.end);
  const auto problem = take_answer(answer.output, entry);
  co_return problem.empty() ? problem : "the parser " + problem;
}

}  // namespace

std::string take_answer(std::string_view output, CatalogEntry& entry) {
  const auto document = parse_document(output);
  if (!document.value || !document.value->is_object()) return "gave no answer";
  const auto& answer = document.value->get_object();
  add_texts(answer, "_problems", entry.warnings);
  add_computed(answer, entry.warnings);
  // What a plugin may do is decided by its manifest or an admin, never by its code.
  metadata_from_json(answer, entry.metadata, entry.warnings);
  return {};
}

asio::awaitable<void> inspect_legacy(CatalogEntry& entry, const InspectorOptions& options) {
  if (!entry.legacy || entry.error || !(entry.has_plugin_py || entry.has_package)) co_return;
  std::string problem;
  bool failed = false;
  try {
    problem = co_await inspect(entry, options);
  } catch (const std::exception& error) {
    problem = error.what();
    failed = true;
  }
  // A cancelled caller must not be kept here; everything else is only a warning.
  if (failed &&
      (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
    throw boost::system::system_error(asio::error::operation_aborted);
  if (!problem.empty())
    add_warning(entry.warnings, "nothing is known of its class before it is enabled: " + problem);
}

}  // namespace supervisor::catalog
