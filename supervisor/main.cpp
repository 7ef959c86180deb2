// plugin-supervisor: the wiring, in the order in which the parts need each
// other. Everything is owned here; nothing is global.

#include <absl/synchronization/mutex.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <thread>

#include "supervisor/audit/audit_trail.h"
#include "supervisor/config.h"
#include "supervisor/lifecycle/plugin_registry.h"
#include "supervisor/services/api_server.h"
#include "supervisor/sys/capabilities.h"
#include "supervisor/sys/random.h"
#include "supervisor/sys/service_notice.h"
#include "supervisor/sys/syscall.h"

namespace {

namespace asio = boost::asio;
using namespace supervisor;
using namespace std::chrono_literals;

std::string hexadecimal(const std::string& bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

// Looks after what has no event of its own: the database's health, and
// orphans that ended by themselves.
asio::awaitable<void> keep_house(store::Store& store, services::ApiServer& api,
                                 lifecycle::Orphans& orphans, metrics::Meters& meters,
                                 limits::LimitSupport& limits, const bool& launches_known,
                                 const bool& stopping) {
  asio::steady_timer tick(co_await asio::this_coro::executor);
  while (!stopping) {
    const bool reachable = co_await store.reachable();
    api.set_healthy(reachable);
    meters.database_up.Set(reachable ? 1 : 0);
    orphans.reap_ended();
    tick.expires_after(2s);
    co_await tick.async_wait(asio::use_awaitable);
    // The groups of an earlier supervisor's launches tell what ended them.
    if (launches_known) limits.remove_leftovers();
  }
}

asio::awaitable<void> reload_on_hangup(asio::signal_set& hangups, spawner::ProfileSet& profiles) {
  for (;;) {
    co_await hangups.async_wait(asio::use_awaitable);
    profiles.look_again(true);
  }
}

// From the core thread: a core that hangs falls silent, and is ended.
asio::awaitable<void> tell_watchdog(sys::ServiceNotice& service) {
  if (!service.watchdog_interval()) co_return;
  asio::steady_timer tick(co_await asio::this_coro::executor);
  for (;;) {
    service.alive();
    tick.expires_after(*service.watchdog_interval());
    co_await tick.async_wait(asio::use_awaitable);
  }
}

// To be passed through by those who may use the socket in it. The directories
// above are made for everybody.
void make_runtime_dir(const std::filesystem::path& directory, std::optional<gid_t> group) {
  std::filesystem::create_directories(directory);
  if (group)
    sys::checked("chown " + directory.string(),
                 [&] { return ::chown(directory.c_str(), static_cast<uid_t>(-1), *group); });
  std::filesystem::permissions(directory, std::filesystem::perms(group ? 0710 : 0700));
}

int run(Config config) {
  sys::ServiceNotice service;
  logs::start_log(config.log_format, config.log_level);
  make_runtime_dir(config.supervision.runtime_dir, config.socket_group);
  std::filesystem::create_directories(config.supervision.data_dir.parent_path());
  // What is made from now on is nobody else's, unless it is given another mode.
  ::umask(077);
  if (!std::filesystem::is_regular_file(config.supervision.shim_dir / "start_spawner.py"))
    throw std::runtime_error("--shim-dir " + config.supervision.shim_dir.string() +
                             " holds no start_spawner.py");
  if (!std::filesystem::is_directory(config.supervision.plugins_dir))
    throw std::runtime_error("--plugins-dir " + config.supervision.plugins_dir.string() +
                             " is not a directory");

  asio::io_context core(1);
  asio::signal_set signals(core, SIGINT, SIGTERM);
  asio::signal_set hangups(core, SIGHUP);
  store::Store store(core.get_executor(), config.store);
  if (const auto migrated = store.migrate(); migrated.has_error())
    throw std::runtime_error(migrated.error().message() + " " + migrated.error().hint());

  lifecycle::Orphans orphans;
  events::EventBus bus;
  metrics::Meters meters(bus);
  // Before there are children: we may have to move to another cgroup.
  limits::LimitSupport limits(limits::own_cgroups(), config.supervision.limit_mechanism,
                              config.supervision.runtime_dir);
  limits::LimitWatch limit_watch(core.get_executor());
  limits::DiskWatch disk_watch(core.get_executor(), config.supervision.data_dir);
  jobs::JobBook jobs(bus);
  jobs::JobHistory history(core.get_executor(), store, jobs, config.history);
  audit::AuditTrail trail(core.get_executor(), store);
  host::HostCalls host(core.get_executor(), store, bus);
  spawner::RuntimeProfile profile;
  profile.python = config.supervision.python;
  profile.shim_dir = config.supervision.shim_dir;
  profile.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                         "LANG=C.UTF-8", "HOME=/nonexistent", "PYTHONUNBUFFERED=1",
                         // The plugin's directory is not the worker's to write.
                         "PYTHONDONTWRITEBYTECODE=1",
                         // Its home is: nothing there is to be run unasked.
                         "PYTHONNOUSERSITE=1",
                         "DISPATCHARR_PLUGINS_DIR=" + config.supervision.plugins_dir.string()};
  profile.environment.push_back(std::string(lifecycle::launch_mark_variable) + "=" +
                                std::string(lifecycle::launch_mark_size, '.'));
  for (const auto& variable : config.supervision.worker_environment)
    profile.environment.push_back(variable);
  const auto staging = config.supervision.runtime_dir / "root";
  std::filesystem::create_directories(staging);
  const auto allowed_calls = sandbox::compile_allowed_calls();
  if (allowed_calls.has_error()) throw std::runtime_error(allowed_calls.error().message());
  const auto isolate = [&supervision = config.supervision, &allowed_calls,
                        staging](const spawner::RuntimeProfile& of) {
    spawner::Isolation isolation;
    const auto modes = supervision.protections.with(of.sandbox);
    isolation.ahead = sandbox::wanted_ahead(modes.value());  // It was checked.
    isolation.common.set_staging(staging.string());
    isolation.common.set_temporary_bytes(supervision.temporary_bytes);
    isolation.common.set_seccomp_allowed(allowed_calls.value());
    auto paths = of.path;
    paths.push_back(of.shim_dir);
    for (auto& path : sandbox::shared_paths(of.python, paths))
      isolation.common.add_paths(std::move(path));
    return isolation;
  };
  sandbox::SandboxPlanner planner;
  sandbox::NameBook names(core.get_executor());
  spawner::ProfileSet profiles(core.get_executor(), std::move(profile), config.profiles_file,
                               isolate);
  if (const auto loaded = profiles.load(); loaded.has_error())
    throw std::runtime_error("--profiles " + loaded.error().message());
  profiles.warm_up();
  logs::LogShelf log_shelf(config.plugin_logs);
  lifecycle::HeartbeatWatch heartbeats(core.get_executor(), config.supervision.heartbeat_interval);
  link::LinkServer links(core.get_executor(), config.link);
  const auto instance = hexadecimal(sys::random_bytes(8));
  lifecycle::LaunchNumbers launch_numbers(
      lifecycle::first_free_launch(config.supervision.runtime_dir));
  lifecycle::SpareWorkers spares(core.get_executor(),
                                 {.count = config.supervision.spare_workers,
                                  .runtime_dir = config.supervision.runtime_dir,
                                  .limits = config.supervision.limits,
                                  .instance = instance},
                                 limits, launch_numbers);
  lifecycle::SupervisionContext context{.core = core.get_executor(),
                                        .options = config.supervision,
                                        .links = links,
                                        .bus = bus,
                                        .jobs = jobs,
                                        .host = host,
                                        .orphans = orphans,
                                        .profiles = profiles,
                                        .launch_numbers = launch_numbers,
                                        .spares = spares,
                                        .planner = planner,
                                        .names = names,
                                        .logs = log_shelf,
                                        .meters = meters,
                                        .heartbeats = heartbeats,
                                        .limits = limits,
                                        .limit_watch = limit_watch,
                                        .disk_watch = disk_watch,
                                        .instance = instance,
                                        .boot_id = lifecycle::boot_id()};
  lifecycle::PluginRegistry registry(context, store);
  history.is_adopting = [&registry](const std::string& key) {
    const auto plugin = registry.find(key);
    return plugin && plugin->is_adopting();
  };
  history.on_written = [&registry](const v1::Job& job) {
    if (const auto plugin = registry.find(job.plugin()))
      plugin->result_safe(job.generation(), job.id());
  };
  bool launches_known = false;  // Those of an earlier supervisor have been looked into.
  const auto make_spares = [&profiles, &spares, &launches_known] {
    if (!launches_known) return;  // A spare would be taken for one of them.
    if (const auto runtime = profiles.runtime_for({}, {}); runtime.has_value())
      spares.replenish(runtime.value());
  };
  profiles.on_change = [&registry, &spares, make_spares] {
    spares.drop_outdated();
    make_spares();
    for (const auto& plugin : registry.list()) plugin->retry_load();
  };
  host.on_row = [&registry](store::PluginConfigRow row) {
    if (const auto plugin = registry.find(row.key)) plugin->set_row(std::move(row));
  };
  services::PluginsService plugins(context, registry, trail, config.plugins_service);
  services::WorkersService workers(context, registry, trail, config.plugins_service.settle_wait,
                                   config.socket);
  services::WatchService watch(bus);
  services::JobsService jobs_service(context, registry, history, trail,
                                     config.plugins_service.max_params_bytes);
  services::MetricsService metrics(context, registry, trail);
  services::AuditService audit_service(core.get_executor(), trail);
  const std::size_t max_message_bytes =
      std::max<std::size_t>(config.link.max_result_bytes, config.plugins_service.max_params_bytes) +
      (1u << 20);
  services::Admission admission(config.socket_group,
                                std::filesystem::canonical(config.supervision.runtime_dir) / "w");
  std::optional<services::ApiServer::Tcp> tcp;
  if (!config.listen_tcp.empty()) tcp = {config.listen_tcp, rpc::read_tls(config.tls)};
  services::ApiServer api(core.get_executor(), config.socket, std::move(admission), tcp,
                          max_message_bytes, plugins, workers, watch, metrics, jobs_service,
                          audit_service);

  bool stopping = false;
  int exit_code = 0;
  const auto end_of = [&core, &exit_code](const char* what) {
    return [&core, &exit_code, what](const std::exception_ptr& error) {
      if (!error) return;
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& broken) {
        logs::log_event(spdlog::level::critical, "daemon.broken",
                        {{"part", what}, {"error", broken.what()}});
      }
      exit_code = 1;
      core.stop();
    };
  };

  asio::co_spawn(
      core,
      [&]() -> asio::awaitable<void> {
        const auto recalled = co_await history.recall();
        if (recalled.has_error())
          logs::log_event(spdlog::level::err, "jobs.not_recalled",
                          {{"error", recalled.error().message()}});
        const auto known = co_await trail.recall();
        if (known.has_error())
          logs::log_event(spdlog::level::err, "audit.not_recalled",
                          {{"error", known.error().message()}});
        const auto found = co_await registry.refresh(true);
        launches_known = true;
        if (found.has_error())
          logs::log_event(spdlog::level::err, "catalog.failed",
                          {{"error", found.error().message()}});
        make_spares();
        // Jobs of plugins whose worker has not outlived the earlier supervisor.
        history.fail_unadopted();
        asio::co_spawn(core, history.sweep_forever(), end_of("job retention"));
        api.set_healthy(co_await store.reachable());
        // Not before: a caller would be told that there is no such plugin.
        api.start();
        service.ready();
        boost::json::object ready{{"ready", true}, {"socket", config.socket.string()}};
        if (tcp)
          ready["tcp"] =
              tcp->address.substr(0, tcp->address.rfind(':') + 1) + std::to_string(api.tcp_port());
        std::cout << boost::json::serialize(ready) << std::endl;
        logs::log_event(spdlog::level::info, "daemon.ready",
                        {{"socket", config.socket.string()},
                         {"plugins", registry.list().size()},
                         {"version", PLUGIN_SUPERVISOR_VERSION}});
      },
      end_of("start"));
  asio::co_spawn(core, store.watch([&](std::string key) {
    asio::co_spawn(core, registry.refresh_row(std::move(key)), end_of("refresh"));
  }),
                 asio::detached);
  asio::co_spawn(core, meters.watch_core(), end_of("lag"));
  asio::co_spawn(core, tell_watchdog(service), end_of("watchdog"));
  asio::co_spawn(core, history.write_forever(), end_of("job history"));
  asio::co_spawn(core, trail.write_forever(), end_of("audit trail"));
  asio::co_spawn(core, profiles.follow_file(), end_of("runtime profiles"));
  asio::co_spawn(core, reload_on_hangup(hangups, profiles), end_of("hangups"));
  asio::co_spawn(core, keep_house(store, api, orphans, meters, limits, launches_known, stopping),
                 end_of("housekeeping"));
  asio::co_spawn(core, heartbeats.beat_forever(), end_of("heartbeats"));
  asio::co_spawn(core, limit_watch.sample_forever(), end_of("samples"));
  asio::co_spawn(core, limit_watch.look_forever(), end_of("looks"));
  asio::co_spawn(core, disk_watch.watch_forever(), end_of("disk"));
  asio::co_spawn(core, names.refresh_forever(), end_of("names"));
  asio::co_spawn(
      core,
      [&]() -> asio::awaitable<void> {
        const int signal = co_await signals.async_wait(asio::use_awaitable);
        logs::log_event(spdlog::level::info, "daemon.stopping",
                        {{"signal", sys::signal_name(signal)}});
        stopping = true;
        service.stopping();
        api.set_healthy(false);
        co_await registry.shut_down();
        co_await spares.close(std::chrono::steady_clock::now() + 1s);
        const auto last_moment = std::chrono::steady_clock::now() + 2s;
        co_await history.written(last_moment);
        co_await trail.written(last_moment);
        logs::log_event(spdlog::level::info, "daemon.stopped", {});
        core.stop();
      },
      end_of("shutdown"));

  core.run();
  // Calls under way have been answered; those that come now are refused. A
  // handler may still wait for the core, so it runs on until the server is
  // down.
  core.restart();
  auto work = asio::make_work_guard(core);
  std::thread answering([&core] { core.run(); });
  api.shut_down(std::chrono::system_clock::now() + 2s);
  work.reset();
  core.stop();
  answering.join();
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  // A peer that went away is an error of a write, never a signal.
  std::signal(SIGPIPE, SIG_IGN);
  // Debian's abseil follows every lock of gRPC to find cycles, at a few percent
  // of the time of a call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  auto parsed = parse_config(argc, argv);
  if (!parsed.config) return parsed.exit_code;
  try {
    sys::keep_capabilities(sys::mask_of(sys::supervisor_capabilities()));
    sys::close_process();
    return run(std::move(*parsed.config));
  } catch (const std::exception& error) {
    std::cerr << "plugin-supervisor: " << error.what() << std::endl;
    return 1;
  }
}
