#include "supervisor/cli/doctor/bounded.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <csignal>

#include "supervisor/sys/pidfd.h"
#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::cli::doctor {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

std::string text_of(const std::vector<Finding>& findings) {
  json::array rows;
  for (const auto& finding : findings)
    rows.push_back(json::object{{"name", finding.name},
                                {"verdict", static_cast<int>(finding.verdict)},
                                {"detail", finding.detail},
                                {"cost", finding.cost},
                                {"required", finding.required}});
  return json::serialize(rows);
}

std::vector<Finding> findings_in(const std::string& text) {
  std::vector<Finding> findings;
  const auto rows = json::parse(text);
  for (const auto& row : rows.as_array())
    findings.push_back({std::string(row.at("name").as_string()),
                        static_cast<Verdict>(row.at("verdict").as_int64()),
                        std::string(row.at("detail").as_string()),
                        std::string(row.at("cost").as_string()), row.at("required").as_bool()});
  return findings;
}

[[noreturn]] void look_and_tell(const Probe& probe, int out) {
  // A group of its own, to be ended whole.
  ::setpgid(0, 0);
  std::string text;
  try {
    text = text_of(probe.look());
  } catch (const std::exception& error) {
    text = text_of({{probe.name, Verdict::failed, error.what(), "", probe.required}});
  }
  for (std::string_view rest = text; !rest.empty();) {
    const auto put = sys::retry_on_eintr([&] { return ::write(out, rest.data(), rest.size()); });
    if (put <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
  ::_exit(0);
}

// What comes until the other end is closed; false at the deadline.
bool read_until(int in, Clock::time_point deadline, std::string& text) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd readable{in, POLLIN, 0};
    if (left <= 0 ||
        sys::retry_on_eintr([&] { return ::poll(&readable, 1, static_cast<int>(left)); }) <= 0)
      return false;
    const auto got = sys::retry_on_eintr([&] { return ::read(in, buffer.data(), buffer.size()); });
    if (got <= 0) return true;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

std::vector<Finding> bounded(const Probe& probe, std::chrono::milliseconds allowed) {
  const auto deadline = Clock::now() + allowed;
  std::array<int, 2> ends{};
  sys::checked("pipe2", [&] { return ::pipe2(ends.data(), O_CLOEXEC); });
  const sys::UniqueFd in(ends[0]);
  sys::UniqueFd out(ends[1]);
  const pid_t child = sys::checked("fork", [] { return ::fork(); });
  if (child == 0) look_and_tell(probe, out.get());
  ::setpgid(child, child);  // Whoever comes first.
  out.reset();
  std::string text;
  const bool answered = read_until(in.get(), deadline, text);
  ::kill(-child, SIGKILL);
  int status = 0;
  sys::retry_on_eintr([&] { return ::waitpid(child, &status, 0); });
  Finding silent{probe.name, Verdict::failed, "", "", probe.required};
  if (!answered) {
    silent.detail = "no answer within " + std::to_string(allowed.count() / 1000) + " s";
    return {silent};
  }
  try {
    return findings_in(text);
  } catch (const std::exception&) {
    silent.detail = WIFSIGNALED(status) ? "ended by " + sys::signal_name(WTERMSIG(status))
                                        : std::string("ended without an answer");
    return {silent};
  }
}

}  // namespace supervisor::cli::doctor
