#include "supervisor/lifecycle/spare_workers.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "supervisor/logs/structured_log.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// From asking for one until it is given up; a spawner may be importing still.
constexpr auto patience = 60s;

}  // namespace

SpareWorkers::SpareWorkers(asio::any_io_executor core, Options options,
                           const limits::LimitSupport& support, LaunchNumbers& numbers)
    : core_(std::move(core)), options_(std::move(options)), support_(support), numbers_(numbers) {}

SpareWorkers::~SpareWorkers() {
  for (auto& [spawner, spares] : spares_)
    for (auto& spare : spares.waiting) spare.launch.end(1s);
}

std::optional<Launch> SpareWorkers::take(const spawner::Runtime& runtime,
                                         const limits::Limits& limits) {
  if (!runtime.command.empty() || !(limits == options_.limits) || limits.cpus > 0)
    return std::nullopt;
  const auto found = spares_.find(OfSpawner(runtime.spawner));
  if (found == spares_.end()) return std::nullopt;
  auto& waiting = found->second.waiting;
  while (!waiting.empty()) {
    auto spare = std::move(waiting.front().launch);
    waiting.pop_front();
    if (spare.is_alive()) return spare;
    spare.end();  // Somebody has killed it.
  }
  return std::nullopt;
}

void SpareWorkers::replenish(const spawner::Runtime& runtime) {
  if (runtime.spawner && runtime.command.empty()) replenish(runtime.spawner);
}

void SpareWorkers::replenish(const std::shared_ptr<spawner::Spawner>& spawner) {
  auto& spares = spares_[OfSpawner(spawner)];
  if (spares.making || spares.waiting.size() >= options_.count || !spawner->is_idle()) return;
  spares.making = true;
  asio::co_spawn(
      core_, [this, spawner] { return make_missing(spawner); }, asio::detached);
}

void SpareWorkers::add(const OfSpawner& of, Launch launch) {
  asio::posix::stream_descriptor end(core_, ::dup(launch.spawned.init.fd()));
  auto& added = spares_[of].waiting.emplace_back(
      Waiting{++last_number_, std::move(launch), std::move(end), Clock::now()});
  added.end.async_wait(asio::posix::stream_descriptor::wait_read,
                       [this, of, number = added.number](const boost::system::error_code& error) {
                         if (!error) lose(of, number);
                       });
}

// Somebody has killed it. One that cannot live is not made over and over.
void SpareWorkers::lose(const OfSpawner& of, std::uint64_t number) {
  auto& waiting = spares_[of].waiting;
  const auto found = std::find_if(waiting.begin(), waiting.end(), [number](const Waiting& spare) {
    return spare.number == number;
  });
  if (found == waiting.end()) return;  // It was taken when its end was on its way to us.
  logs::log_event(spdlog::level::warn, "spare.ended",
                  {{"init_pid", found->launch.spawned.init.pid()}});
  const bool lived = Clock::now() - found->since > 1s;
  found->launch.end();
  waiting.erase(found);
  if (const auto spawner = of.lock(); spawner && lived) replenish(spawner);
}

void SpareWorkers::drop_outdated() {
  for (auto entry = spares_.begin(); entry != spares_.end();) {
    auto& [spawner, spares] = *entry;
    const bool outdated = spawner.expired() && !spares.making;
    if (outdated)
      for (auto& spare : spares.waiting) spare.launch.end();
    entry = outdated ? spares_.erase(entry) : std::next(entry);
  }
}

asio::awaitable<void> SpareWorkers::make_missing(std::shared_ptr<spawner::Spawner> spawner) {
  const OfSpawner of(spawner);
  while (spares_[of].waiting.size() < options_.count && spawner->is_idle()) {
    auto making = make_one(*spawner);
    auto made = co_await std::move(making);
    if (made.has_error()) {
      logs::log_event(spdlog::level::warn, "spare.failed",
                      {{"profile", spawner->profile().name}, {"error", made.error().message()}});
      break;
    }
    logs::log_event(
        spdlog::level::debug, "spare.forked",
        {{"profile", spawner->profile().name}, {"init_pid", made.value().spawned.init.pid()}});
    add(of, std::move(made.value()));
  }
  spares_[of].making = false;
  spawner.reset();
  drop_outdated();
}

asio::awaitable<Outcome<Launch>> SpareWorkers::make_one(spawner::Spawner& spawner) {
  const auto place = co_await spawner.take_place();
  const auto number = numbers_.next();
  std::optional<Launch> launch;
  std::string error;
  try {
    launch = Launch::make(options_.runtime_dir, number);
  } catch (const std::exception& caught) {
    error = caught.what();
  }
  if (!launch) co_return make_failure(v1::REASON_LAUNCH_FAILED, "link", error);
  launch->limits =
      limits::LaunchLimits::spare(support_, "launch-" + std::to_string(number), options_.limits);
  auto forking = launch->fork(spawner, place, {}, {}, {}, Clock::now() + patience);
  auto forked = co_await std::move(forking);
  if (forked.has_error()) co_return forked.error();
  co_return std::move(*launch);
}

}  // namespace supervisor::lifecycle
