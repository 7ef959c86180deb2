#include "supervisor/config.h"

#include <grp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <map>

#include "supervisor/store/connection_string.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/plugin_options.h"
#include "supervisor/sys/size_text.h"
#include "supervisor/sys/start_secrets.h"

namespace supervisor {
namespace {

using Milliseconds = std::chrono::milliseconds;

// "500ms", "20s", "5m"; a bare number is seconds.
void add_duration(CLI::App& app, const std::string& name, const std::string& environment,
                  Milliseconds& value, const std::string& what) {
  static const std::map<std::string, double> units = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
  app.add_option_function<std::string>(
         name,
         [&value, name](const std::string& text) {
           std::size_t digits = 0;
           double number = 0;
           try {
             number = std::stod(text, &digits);
           } catch (const std::exception&) {
             throw CLI::ValidationError(name,
                                        "'" + text + "' is not a duration such as 500ms or 20s");
           }
           const auto unit = units.find(digits == text.size() ? "s" : text.substr(digits));
           if (unit == units.end() || number < 0 || number * unit->second > 86400e3)
             throw CLI::ValidationError(name,
                                        "'" + text + "' is not a duration such as 500ms or 20s");
           value = Milliseconds(static_cast<Milliseconds::rep>(number * unit->second));
         },
         what + " (default " + std::to_string(value.count()) + "ms)")
      ->type_name("DURATION")
      ->envname(environment);
}

// Of those that no convention gives to anybody (systemd's UIDS-GIDS).
constexpr const char* default_plugin_users = "1879048192-1879113727";

// "FIRST-LAST"; {0, 0} for "none"; nothing when it is neither.
std::optional<std::pair<std::uint32_t, std::uint32_t>> parse_user_range(const std::string& text) {
  if (text == "none") return std::pair{0U, 0U};
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  const char* const end = text.data() + text.size();
  const auto [dash, error] = std::from_chars(text.data(), end, first);
  if (error != std::errc() || dash == end || *dash != '-') return std::nullopt;
  const auto [rest, second_error] = std::from_chars(dash + 1, end, last);
  // Ids that are signed somewhere, and root.
  constexpr std::uint32_t most = std::numeric_limits<std::int32_t>::max();
  if (second_error != std::errc() || rest != end || first == 0 || first > last || last > most)
    return std::nullopt;
  return std::pair{first, last};
}

// By its name or number.
std::optional<gid_t> find_group(const std::string& text) {
  gid_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && rest == end) return number;
  const group* const found = ::getgrnam(text.c_str());
  return found == nullptr ? std::nullopt : std::optional(found->gr_gid);
}

// "HOST:PORT", "[::1]:9500"; the host may be a name.
bool has_port(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  unsigned port = 0;
  const char* const end = address.data() + address.size();
  const auto [rest, error] = std::from_chars(address.data() + colon + 1, end, port);
  return error == std::errc() && rest == end && port <= 65535;
}

// What stands in it, less the end of the line.
std::string read_connection(const std::filesystem::path& file) {
  std::string text;
  try {
    text = sys::read_file(file, 4096);
  } catch (const std::exception& error) {
    throw CLI::ValidationError("--database-file", error.what());
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) throw CLI::ValidationError("--database-file", file.string() + " is empty");
  return text;
}

// "512m", "1g"; a bare number is bytes; "none" and 0 are no limit.
void add_size(CLI::App& app, const std::string& name, const std::string& environment,
              std::uint64_t& value, const std::string& what) {
  app.add_option_function<std::string>(
         name,
         [&value, name](const std::string& text) {
           const auto size = sys::parse_size(text);
           if (!size)
             throw CLI::ValidationError(name, "'" + text + "' is not a size such as 512m or 2g");
           value = *size;
         },
         what + " (default " + sys::size_text(value) + ")")
      ->type_name("SIZE")
      ->envname(environment);
}

}  // namespace

ParsedConfig parse_config(int argc, char** argv) {
  Config config;
  CLI::App app{
      "Runs each enabled plugin in a worker process of its own, and serves the gateway and\n"
      "pluginctl on a private Unix socket. Prints one JSON line when ready.",
      "plugin-supervisor"};
  app.set_version_flag("--version", PLUGIN_SUPERVISOR_VERSION);
  app.set_config("--config", "", "Read options from this TOML file");
  app.allow_config_extras(CLI::config_extras_mode::error);
  auto& supervision = config.supervision;

  app.add_option("--plugins-dir", supervision.plugins_dir,
                 "Directory with one directory per plugin")
      ->envname("DISPATCHARR_PLUGINS_DIR")
      ->required();
  app.add_option("--runtime-dir", supervision.runtime_dir,
                 "Directory for sockets; made if absent. Keep the path short")
      ->envname("PLUGIN_SUPERVISOR_RUNTIME_DIR")
      ->required();
  app.add_option("--database", config.store.connection,
                 "PostgreSQL connection string or URI; required. It is erased from the command "
                 "line and the environment once it is read")
      ->envname("DATABASE_URL");
  std::filesystem::path database_file;
  app.add_option("--database-file", database_file, "File that holds it instead")
      ->envname("PLUGIN_SUPERVISOR_DATABASE_FILE");
  app.add_option("--schema-dir", config.store.migrations_dir, "Directory of the SQL migrations")
      ->envname("PLUGIN_SUPERVISOR_SCHEMA_DIR")
      ->required();
  app.add_option("--shim-dir", supervision.shim_dir, "Directory of start_spawner.py")
      ->envname("PLUGIN_SUPERVISOR_SHIM_DIR")
      ->required();
  app.add_option("--python", supervision.python, "Interpreter of the workers")
      ->envname("PLUGIN_SUPERVISOR_PYTHON")
      ->capture_default_str();
  app.add_option(
         "--profiles", config.profiles_file,
         "TOML file of runtime profiles beside the built-in \"standalone\"; read again when "
         "it changes or on SIGHUP")
      ->envname("PLUGIN_SUPERVISOR_PROFILES");
  app.add_option("--socket", config.socket,
                 "Socket for the gateway and pluginctl (default <runtime-dir>/supervisor.sock)")
      ->envname("PLUGIN_SUPERVISOR_SOCKET");
  std::string socket_group;
  app.add_option("--socket-group", socket_group,
                 "Group whose members may use that socket, by name or number, beside root and the "
                 "supervisor's own user (default: none)")
      ->envname("PLUGIN_SUPERVISOR_SOCKET_GROUP")
      ->type_name("GROUP");
  app.add_option("--listen-tcp", config.listen_tcp,
                 "Serve on this address as well, for those who show a certificate; port 0 takes a "
                 "free one. With --tls-cert, --tls-key and --tls-client-ca")
      ->envname("PLUGIN_SUPERVISOR_LISTEN_TCP")
      ->type_name("HOST:PORT");
  app.add_option("--tls-cert", config.tls.certificate, "Certificate to show them, in PEM form")
      ->envname("PLUGIN_SUPERVISOR_TLS_CERT");
  app.add_option("--tls-key", config.tls.key, "Key of that certificate")
      ->envname("PLUGIN_SUPERVISOR_TLS_KEY");
  app.add_option("--tls-client-ca", config.tls.authorities,
                 "Certificates by which theirs must be signed; whoever holds one of those may do "
                 "everything")
      ->envname("PLUGIN_SUPERVISOR_TLS_CLIENT_CA");
  app.add_option("--worker-env", supervision.worker_environment,
                 "NAME=value for every worker; repeatable");

  app.add_option("--spare-workers", supervision.spare_workers,
                 "Workers of each runtime profile that are forked before a plugin wants them, so "
                 "that a start need not wait for the fork; 0 = none")
      ->envname("PLUGIN_SUPERVISOR_SPARE_WORKERS")
      ->check(CLI::Range(0, 64));

  add_duration(app, "--start-timeout", "PLUGIN_SUPERVISOR_START_TIMEOUT", supervision.start_timeout,
               "From launch to loaded");
  add_duration(
      app, "--stop-timeout", "PLUGIN_SUPERVISOR_STOP_TIMEOUT", supervision.stop_timeout,
      "The budget of a stop: calls under way, stop() of the plugin, SIGTERM; then it is killed");
  add_duration(app, "--call-timeout", "PLUGIN_SUPERVISOR_CALL_TIMEOUT", supervision.call_timeout,
               "Default deadline of a call");
  add_duration(app, "--settle-wait", "PLUGIN_SUPERVISOR_SETTLE_WAIT",
               config.plugins_service.settle_wait,
               "How long enable, disable and reload wait for workers to settle");
  add_duration(app, "--cancel-grace", "PLUGIN_SUPERVISOR_CANCEL_GRACE", config.link.cancel_grace,
               "From cancelling a call until an exception is raised in it");
  add_duration(app, "--stuck-after", "PLUGIN_SUPERVISOR_STUCK_AFTER", config.link.stuck_after,
               "From a call's deadline until its worker is ended, if it has not let go");
  add_duration(app, "--heartbeat-interval", "PLUGIN_SUPERVISOR_HEARTBEAT_INTERVAL",
               supervision.heartbeat_interval,
               "How often a worker with calls under way is asked whether it lives; one without is "
               "looked at every 30th time. 0 = never");
  add_duration(app, "--wedged-after", "PLUGIN_SUPERVISOR_WEDGED_AFTER",
               supervision.pulse.wedged_after,
               "A worker is ended when C code has kept its interpreter for so long; 0 = never");
  add_duration(app, "--silent-after", "PLUGIN_SUPERVISOR_SILENT_AFTER",
               supervision.pulse.silent_after,
               "A worker whose process answers nothing is ended after this; one that is stopped "
               "is told to go on after half of it. 0 = never");
  add_duration(app, "--reattach-window", "PLUGIN_SUPERVISOR_REATTACH_WINDOW",
               config.link.reattach_window,
               "How long workers go on without a supervisor, for the next one to take them over; "
               "0 = not at all");
  auto& restart = supervision.restart;
  std::string restart_mode = "always";
  app.add_option("--restart", restart_mode,
                 "When a worker that ended by itself is started again: always, on-failure (not "
                 "after exit code 0) or never")
      ->envname("PLUGIN_SUPERVISOR_RESTART")
      ->capture_default_str()
      ->check(CLI::IsMember({"always", "on-failure", "never"}));
  add_duration(app, "--restart-first-delay", "PLUGIN_SUPERVISOR_RESTART_FIRST_DELAY",
               restart.first_delay,
               "Before the second start in a row; it doubles with each crash. The first crash "
               "restarts at once");
  add_duration(app, "--restart-max-delay", "PLUGIN_SUPERVISOR_RESTART_MAX_DELAY", restart.max_delay,
               "The delay doubles up to this");
  add_duration(app, "--restart-stable-after", "PLUGIN_SUPERVISOR_RESTART_STABLE_AFTER",
               restart.stable_after, "Running this long begins a new row of crashes");
  app.add_option("--quarantine-after", restart.quarantine_after,
                 "Crashes within --quarantine-period after which a plugin is not started again "
                 "until an admin says so; 0 = never")
      ->envname("PLUGIN_SUPERVISOR_QUARANTINE_AFTER")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  add_duration(app, "--quarantine-period", "PLUGIN_SUPERVISOR_QUARANTINE_PERIOD", restart.period,
               "See --quarantine-after");
  app.add_option("--max-in-flight", config.link.max_in_flight, "Calls waiting per plugin")
      ->envname("PLUGIN_SUPERVISOR_MAX_IN_FLIGHT")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  auto& limits = supervision.limits;
  add_size(app, "--memory-limit", "PLUGIN_SUPERVISOR_MEMORY_LIMIT", limits.memory_bytes,
           "Memory of one plugin's worker and all it starts; none = no limit");
  app.add_option("--cpu-limit", limits.cpus,
                 "Processors' worth of time of one plugin, such as 0.5; 0 = no limit")
      ->envname("PLUGIN_SUPERVISOR_CPU_LIMIT")
      ->capture_default_str();
  app.add_option("--process-limit", limits.processes,
                 "Processes and threads of one plugin; 0 = no limit")
      ->envname("PLUGIN_SUPERVISOR_PROCESS_LIMIT")
      ->capture_default_str();
  app.add_option("--open-files-limit", limits.open_files,
                 "Open files of each process of a plugin; 0 = no limit")
      ->envname("PLUGIN_SUPERVISOR_OPEN_FILES_LIMIT")
      ->capture_default_str();
  add_size(app, "--disk-limit", "PLUGIN_SUPERVISOR_DISK_LIMIT", limits.disk_bytes,
           "Disk space of one plugin's data directory; none = no limit");
  std::string limit_mechanism = "auto";
  app.add_option("--limit-mechanism", limit_mechanism,
                 "How limits are enforced: auto (by cgroups where they can be had; else the "
                 "supervisor looks, and ends what is over), cgroup (or not start), sampling (no "
                 "cgroups)")
      ->envname("PLUGIN_SUPERVISOR_LIMIT_MECHANISM")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "cgroup", "sampling"}));
  std::string protections;
  app.add_option("--sandbox", protections,
                 "Protections that are not preferred, as in all=required,network=off; preferred: "
                 "had where they can be had")
      ->envname("PLUGIN_SUPERVISOR_SANDBOX")
      ->type_name("NAME=off|preferred|required,...");
  std::string plugin_users = ::geteuid() == 0 ? default_plugin_users : "none";
  app.add_option("--plugin-users", plugin_users,
                 "User ids to run plugins as, one for each and never given twice; none = they run "
                 "as the supervisor")
      ->envname("PLUGIN_SUPERVISOR_PLUGIN_USERS")
      ->type_name("FIRST-LAST")
      ->capture_default_str();
  app.add_option("--data-dir", supervision.data_dir,
                 "Directory of the plugins' data directories (default <runtime-dir>/data)")
      ->envname("PLUGIN_SUPERVISOR_DATA_DIR");
  add_size(app, "--tmp-size", "PLUGIN_SUPERVISOR_TMP_SIZE", supervision.temporary_bytes,
           "Of the /tmp that each worker has of its own");
  app.add_option("--pool-threads", config.link.pool_threads,
                 "Threads per worker beside the main one, for calls that overlap")
      ->envname("PLUGIN_SUPERVISOR_POOL_THREADS")
      ->capture_default_str()
      ->check(CLI::Range(0, 256));
  app.add_option("--max-result-bytes", config.link.max_result_bytes, "Size of one result")
      ->envname("PLUGIN_SUPERVISOR_MAX_RESULT_BYTES")
      ->capture_default_str()
      ->check(CLI::Range(1024, 1 << 30));
  app.add_option("--link-frames-per-second", config.link.rate.frames_per_second,
                 "What a worker may say; one that says more is read from no faster. 0 = no limit")
      ->envname("PLUGIN_SUPERVISOR_LINK_FRAMES_PER_SECOND")
      ->capture_default_str();
  add_size(app, "--link-bytes-per-second", "PLUGIN_SUPERVISOR_LINK_BYTES_PER_SECOND",
           config.link.rate.bytes_per_second, "Likewise");
  app.add_option("--max-params-bytes", config.plugins_service.max_params_bytes,
                 "Size of the params of one call")
      ->envname("PLUGIN_SUPERVISOR_MAX_PARAMS_BYTES")
      ->capture_default_str()
      ->check(CLI::Range(1024, 1 << 30));
  app.add_option("--job-keep-days", config.history.keep_days,
                 "Days that the history of runs is kept; 0 = for ever")
      ->envname("PLUGIN_SUPERVISOR_JOB_KEEP_DAYS")
      ->capture_default_str()
      ->check(CLI::Range(0, 36500));
  app.add_option("--job-keep-runs", config.history.keep_runs,
                 "Runs that a caller waited for in the history; 0 = all")
      ->envname("PLUGIN_SUPERVISOR_JOB_KEEP_RUNS")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000000));
  app.add_option("--job-keep-background", config.history.keep_others,
                 "Background jobs, tasks and events in the history; 0 = all")
      ->envname("PLUGIN_SUPERVISOR_JOB_KEEP_BACKGROUND")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000000));
  add_duration(app, "--job-sweep-every", "PLUGIN_SUPERVISOR_JOB_SWEEP_EVERY",
               config.history.sweep_every, "How often what is too old or too much is removed");
  auto& plugin_logs = config.plugin_logs;
  app.add_option("--log-dir", plugin_logs.directory,
                 "Directory of the plugins' logs (default <runtime-dir>/logs)")
      ->envname("PLUGIN_SUPERVISOR_LOG_DIR");
  app.add_option("--log-file-bytes", plugin_logs.files.file_bytes,
                 "Size of a file of a plugin's log, after which the next begins")
      ->envname("PLUGIN_SUPERVISOR_LOG_FILE_BYTES")
      ->capture_default_str()
      ->check(CLI::Range(65536, 1 << 30));
  app.add_option("--log-files", plugin_logs.files.files,
                 "Files kept of each plugin's log, the present one among them")
      ->envname("PLUGIN_SUPERVISOR_LOG_FILES")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  auto& log_rate = plugin_logs.books.rate;
  app.add_option("--log-lines-per-second", log_rate.lines_per_second,
                 "Of each plugin; what is over it is dropped, counted and told. 0 = no limit")
      ->envname("PLUGIN_SUPERVISOR_LOG_LINES_PER_SECOND")
      ->capture_default_str();
  app.add_option("--log-bytes-per-second", log_rate.bytes_per_second, "Likewise")
      ->envname("PLUGIN_SUPERVISOR_LOG_BYTES_PER_SECOND")
      ->capture_default_str();
  add_duration(app, "--log-burst", "PLUGIN_SUPERVISOR_LOG_BURST", log_rate.burst,
               "So much time's worth of lines and bytes may come at once");
  app.add_option("--log-level", config.log_level,
                 "Of the daemon itself: debug, info, warn or error")
      ->envname("PLUGIN_SUPERVISOR_LOG_LEVEL")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  std::string log_format = "text";
  app.add_option("--log-format", log_format, "text or json")
      ->envname("PLUGIN_SUPERVISOR_LOG_FORMAT")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));

  try {
    app.parse(argc, argv);
    const char* const found = std::getenv("PGPASSWORD");
    const std::string password = found == nullptr ? "" : found;
    sys::erase_variable("PGPASSWORD");
    sys::erase_variable("DATABASE_URL");
    sys::erase_argument(argc, argv, "--database");
    if (!database_file.empty()) config.store.connection = read_connection(database_file);
    if (config.store.connection.empty()) throw CLI::RequiredError("--database");
    if (!password.empty()) {
      // libpq would look for it in the environment. What is malformed the store tells.
      const auto whole = store::ConnectionString::parse(config.store.connection,
                                                        config.store.connect_timeout, password);
      if (whole.has_value()) config.store.connection = whole->for_libpq();
    }
    if (!socket_group.empty()) {
      config.socket_group = find_group(socket_group);
      if (!config.socket_group)
        throw CLI::ValidationError("--socket-group", "there is no group '" + socket_group + "'");
    }
    if (config.listen_tcp.empty() ? config.tls.any() : !config.tls.all())
      throw CLI::ValidationError(
          "--listen-tcp",
          "it needs --tls-cert, --tls-key and --tls-client-ca, and they need it: without TLS "
          "whoever reaches the port could do everything");
    if (!config.listen_tcp.empty() && !has_port(config.listen_tcp))
      throw CLI::ValidationError("--listen-tcp", "'" + config.listen_tcp + "' is not HOST:PORT");
    for (const auto& variable : supervision.worker_environment) {
      if (variable.find('=') == std::string::npos || variable.front() == '=')
        throw CLI::ValidationError("--worker-env", "'" + variable + "' is not NAME=value");
    }
    const auto modes = supervision.protections.with(protections);
    if (modes.has_error())
      throw CLI::ValidationError("--sandbox", modes.error().message() + " " + modes.error().hint());
    supervision.protections = modes.value();
    const auto users = parse_user_range(plugin_users);
    if (!users)
      throw CLI::ValidationError("--plugin-users",
                                 "'" + plugin_users + "' is neither FIRST-LAST nor none");
    supervision.plugin_users = *users;
    v1::PluginOptions defaults;
    defaults.set_memory_bytes(limits.memory_bytes);
    defaults.set_cpus(limits.cpus);
    defaults.set_processes(limits.processes);
    defaults.set_open_files(limits.open_files);
    defaults.set_disk_bytes(limits.disk_bytes);
    if (const auto failure = sys::options_failure(defaults))
      throw CLI::ValidationError("limits", failure->message());
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return {std::nullopt, app.exit(error)};
    std::cerr << "plugin-supervisor: " << error.what() << " (see --help)\n";
    return {std::nullopt, 2};
  }
  supervision.limit_mechanism = limit_mechanism == "cgroup" ? limits::MechanismChoice::cgroup
                                : limit_mechanism == "sampling"
                                    ? limits::MechanismChoice::sampling
                                    : limits::MechanismChoice::automatic;
  supervision.restart.mode = restart_mode == "never"        ? lifecycle::RestartMode::never
                             : restart_mode == "on-failure" ? lifecycle::RestartMode::on_failure
                                                            : lifecycle::RestartMode::always;
  config.log_format = log_format == "json" ? logs::LogFormat::json : logs::LogFormat::text;
  if (supervision.data_dir.empty()) supervision.data_dir = supervision.runtime_dir / "data";
  supervision.data_dir = std::filesystem::absolute(supervision.data_dir).lexically_normal();
  // What an honest worker sends at once: a result, a batch of smaller frames.
  config.link.max_message_bytes =
      std::max<std::size_t>(config.link.max_result_bytes, 16u << 20) + (4u << 20);
  if (config.socket.empty()) config.socket = supervision.runtime_dir / "supervisor.sock";
  if (plugin_logs.directory.empty()) plugin_logs.directory = supervision.runtime_dir / "logs";
  plugin_logs.directory = std::filesystem::absolute(plugin_logs.directory).lexically_normal();
  supervision.plugins_dir = std::filesystem::absolute(supervision.plugins_dir).lexically_normal();
  supervision.runtime_dir = std::filesystem::absolute(supervision.runtime_dir).lexically_normal();
  supervision.shim_dir = std::filesystem::absolute(supervision.shim_dir).lexically_normal();
  if (!config.profiles_file.empty())
    config.profiles_file = std::filesystem::absolute(config.profiles_file).lexically_normal();
  config.socket = std::filesystem::absolute(config.socket).lexically_normal();
  return {std::move(config), 0};
}

}  // namespace supervisor
