#include "supervisor/limits/limit_watch.h"

#include <time.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "supervisor/limits/process_table.h"
#include "supervisor/sys/thread_time.h"

namespace supervisor::limits {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

// One part of work, so many parts of rest. A sample decides over the life of a
// worker that eats memory, a look only finds what is told in a log.
constexpr int rest_after_samples = 150;
constexpr int rest_in_haste = 5;  // While somebody grows fast.
constexpr int rest_after_looks = 500;
constexpr auto soonest_sample = 200ms;
constexpr auto soonest_look = 1s;
constexpr auto latest = 30s;
constexpr int piece = 32;  // Processes or launches between two turns of others.

Clock::duration rest(std::chrono::nanoseconds worked, int parts, Clock::duration soonest) {
  return std::clamp<Clock::duration>(worked * parts, soonest, latest);
}

}  // namespace

void LimitWatch::forget_ended() {
  std::erase_if(launches_, [](const Launch& launch) { return launch.limits.expired(); });
}

asio::awaitable<void> LimitWatch::sample_forever() {
  asio::steady_timer timer(core_);
  for (;;) {
    auto sampling = sample_all();
    const auto worked = co_await std::move(sampling);
    const bool haste = std::any_of(launches_.begin(), launches_.end(), [](const Launch& launch) {
      const auto limits = launch.limits.lock();
      return limits && limits->grows_fast();
    });
    timer.expires_after(rest(worked, haste ? rest_in_haste : rest_after_samples, soonest_sample));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<std::chrono::nanoseconds> LimitWatch::sample_all() {
  forget_ended();
  std::chrono::nanoseconds worked{0};
  const auto needs = [](const Launch& launch) {
    const auto limits = launch.limits.lock();
    return limits && limits->needs_samples();
  };
  if (std::none_of(launches_.begin(), launches_.end(), needs)) co_return worked;
  ProcessReading reading;
  for (bool more = true; more;) {
    const auto began = sys::thread_time();
    more = reading.read_some(piece);
    worked += sys::thread_time() - began;
    co_await asio::post(core_, asio::use_awaitable);
  }
  const auto began = sys::thread_time();
  const auto table = std::move(reading).finish();
  worked += sys::thread_time() - began;
  // Others may add launches meanwhile; none is taken away but above.
  for (std::size_t i = 0; i < launches_.size(); ++i) {
    if (!needs(launches_[i])) continue;
    auto taking = take_sample(i, table);
    worked += co_await std::move(taking);
  }
  co_return worked;
}

asio::awaitable<std::chrono::nanoseconds> LimitWatch::take_sample(std::size_t launch,
                                                                  const ProcessTable& table) {
  std::chrono::nanoseconds worked{0};
  auto began = sys::thread_time();
  const auto limits = launches_[launch].limits.lock();
  const auto family = table.family(launches_[launch].init);
  if (!limits || family.empty()) co_return worked;
  auto usage = ProcessTable::total(family);
  // Shared pages, of which a fork has many, are counted in each of them.
  if (limits->is_over_memory(usage) && !limits->is_over_processes(usage)) {
    usage.memory_bytes = 0;
    for (const auto& process : family) {
      usage.memory_bytes += proportional_memory(process);
      worked += sys::thread_time() - began;
      co_await asio::post(core_, asio::use_awaitable);
      began = sys::thread_time();
    }
  }
  const auto over = limits->take_sample(usage);
  if (over) {
    const auto watched = launches_[launch];  // Those that are called may add others.
    watched.say(*over);
    watched.end();
  }
  co_return worked + (sys::thread_time() - began);
}

asio::awaitable<void> LimitWatch::look_forever() {
  asio::steady_timer timer(core_);
  for (;;) {
    auto looking = look_at_all();
    const auto worked = co_await std::move(looking);
    timer.expires_after(rest(worked, rest_after_looks, soonest_look));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<std::chrono::nanoseconds> LimitWatch::look_at_all() {
  std::chrono::nanoseconds worked{0};
  // A copy: ended ones are forgotten while we give way to others.
  const auto launches = launches_;
  auto began = sys::thread_time();
  for (std::size_t i = 0; i < launches.size(); ++i) {
    if (const auto limits = launches[i].limits.lock(); limits && launches[i].goes_on()) {
      for (const auto& what : limits->look()) launches[i].say(what);
    }
    if (i % piece != piece - 1) continue;
    worked += sys::thread_time() - began;
    co_await asio::post(core_, asio::use_awaitable);
    began = sys::thread_time();
  }
  co_return worked + (sys::thread_time() - began);
}

}  // namespace supervisor::limits
