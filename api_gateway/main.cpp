// plugin-gateway: the wiring. Options, gateway, signals; exit.
#include <absl/synchronization/mutex.h>
#include <malloc.h>

#include <csignal>
#include <iostream>

#include "api_gateway/gateway.h"
#include "api_gateway/options.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/capabilities.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/service_notice.h"

namespace {

using supervisor::logs::log_event;

void announce(const gateway::Options& options, const std::string& url) {
  const std::string line = "{\"listening\": \"" + url + "\"}\n";
  std::cout << line << std::flush;
  if (!options.ready_file.empty())
    supervisor::sys::write_file_atomically(options.ready_file, line, 0644);
  log_event(spdlog::level::info, "gateway.listening", {{"url", url}});
}

// Speaks for the gateway as long as all of its threads have something to say.
boost::asio::awaitable<void> tell_watchdog(gateway::Gateway& gateway,
                                           supervisor::sys::ServiceNotice& service) {
  if (!service.watchdog_interval()) co_return;
  boost::asio::steady_timer tick(co_await boost::asio::this_coro::executor);
  for (;;) {
    gateway.look_for_life([&service] { service.alive(); });
    tick.expires_after(*service.watchdog_interval());
    co_await tick.async_wait(boost::asio::use_awaitable);
  }
}

int serve(const gateway::Options& options) {
  namespace asio = boost::asio;
  supervisor::sys::ServiceNotice service;
  // Debian's abseil is a debug build that looks for lock cycles at every lock
  // inside gRPC: 5 % of the gateway's time, by measurement.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // What a long list takes is not given back to the kernel after each, to be
  // asked for again page by page: that was a quarter of the time that a list takes.
  constexpr int kept_bytes = 16 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kept_bytes);
  ::mallopt(M_TRIM_THRESHOLD, kept_bytes);
  // A reader of stdout that went away must not end the gateway.
  std::signal(SIGPIPE, SIG_IGN);
  asio::io_context control(1);
  asio::signal_set signals(control, SIGTERM, SIGINT);
  asio::steady_timer drain_budget(control);
  gateway::Gateway gateway(options, [] {
    supervisor::sys::keep_capabilities(0);
    supervisor::sys::close_process();
  });

  // The first signal drains; a second one, or the end of the budget, aborts.
  signals.async_wait([&](boost::system::error_code error, int signal) {
    if (error) return;
    log_event(spdlog::level::info, "gateway.draining", {{"signal", signal}});
    drain_budget.expires_after(options.drain_timeout);
    drain_budget.async_wait([&](boost::system::error_code cancelled) {
      if (cancelled) return;
      log_event(spdlog::level::warn, "gateway.drain_timeout", {});
      gateway.abort();
    });
    signals.async_wait([&](boost::system::error_code cancelled, int) {
      if (!cancelled) gateway.abort();
    });
    service.stopping();
    gateway.drain();
  });
  gateway.when_drained([&control] { control.stop(); });
  gateway.start();
  announce(options, gateway.url());
  service.ready();
  asio::co_spawn(control, tell_watchdog(gateway, service), asio::detached);
  control.run();
  log_event(spdlog::level::info, "gateway.stopped", {});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = gateway::parse_options(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  supervisor::logs::start_log(supervisor::logs::LogFormat::text, parsed.options->log_level);
  try {
    return serve(*parsed.options);
  } catch (const std::exception& error) {
    std::cerr << "plugin-gateway: " << error.what() << '\n';
    return 1;
  }
}
