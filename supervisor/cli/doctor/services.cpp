// What runs beside: the database and, if there is one, the supervisor.
#include <pqxx/pqxx>

#include "supervisor/cli/doctor/probe.h"
#include "supervisor/cli/supervisor_client.h"
#include "supervisor/store/connection_string.h"

namespace supervisor::cli::doctor {
namespace {

constexpr auto connect_timeout = std::chrono::seconds(3);
constexpr int oldest_server = 120000;  // As server_version_num.

Finding database(const std::string& given) {
  const std::string cost = "the supervisor cannot start; check the server, and DATABASE_URL";
  const auto parsed = store::ConnectionString::parse(given, connect_timeout);
  if (parsed.has_error())
    return {"database", Verdict::failed, parsed.error().message(), cost, true};
  try {
    pqxx::connection connection(parsed->for_libpq());
    pqxx::work transaction(connection);
    const auto row = transaction.exec1(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'), "
        "pg_is_in_recovery(), has_schema_privilege(current_schema(), 'CREATE')");
    const std::string server = "PostgreSQL " + row[1].as<std::string>();
    if (row[0].as<int>() < oldest_server)
      return {"database", Verdict::failed, server + "; 12 or newer is needed", cost, true};
    if (row[2].as<bool>())
      return {"database", Verdict::failed, server + " is a standby that takes no writes", cost,
              true};
    if (!row[3].as<bool>(false))
      return {"database", Verdict::failed, server + " lets us create no tables",
              "migrations cannot be applied", true};
    return {"database", Verdict::ok, server, "", true};
  } catch (const std::exception& error) {
    return {"database", Verdict::failed, parsed->redact(error.what()), cost, true};
  }
}

Finding supervisor(const std::filesystem::path& socket) {
  auto client = SupervisorClient::connect({.socket = socket});
  if (client.has_error())
    return {"supervisor", Verdict::skipped, "none runs at " + socket.string()};
  const auto plugins = client->list();
  if (plugins.has_error())
    return {"supervisor", Verdict::failed, plugins.error().message(),
            "plugins cannot be controlled; see its log"};
  return {"supervisor", Verdict::ok,
          "runs at " + socket.string() + " with " + std::to_string(plugins->plugins_size()) +
              " plugins"};
}

}  // namespace

std::vector<Probe> service_probes(const Subject& subject) {
  const auto given = subject.database;
  return {{"database",
           [given] {
             if (given.empty())
               return std::vector{Finding{"database", Verdict::skipped,
                                          "neither --database nor DATABASE_URL is set"}};
             return std::vector{database(given)};
           },
           !given.empty()},
          {"supervisor", [socket = subject.socket] { return std::vector{supervisor(socket)}; }}};
}

}  // namespace supervisor::cli::doctor
