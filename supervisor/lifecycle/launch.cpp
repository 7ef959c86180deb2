#include "supervisor/lifecycle/launch.h"

#include <fcntl.h>

#include <csignal>
#include <system_error>

#include "supervisor/sys/fault_point.h"
#include "supervisor/sys/process_tree.h"
#include "supervisor/sys/syscall.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

Launch Launch::make(const std::filesystem::path& runtime_dir, std::uint64_t number) {
  // The generation alone is no name: every plugin counts its own.
  RuntimeDir directory(runtime_dir, std::to_string(number));
  sys::fault_point("start.directory");
  auto out = directory.make_pipe("out");
  auto err = directory.make_pipe("err");
  const auto record = directory.exit_record_path();
  sys::UniqueFd exit_record(sys::checked("open " + record.string(), [&] {
    return ::open(record.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  }));
  return {.directory = std::move(directory),
          .out = std::move(out),
          .err = std::move(err),
          .assignment = sys::make_pipe(),
          .exit_record = std::move(exit_record),
          .limits = nullptr,
          .spawned = {}};
}

asio::awaitable<Outcome<void>> Launch::fork(spawner::Spawner& spawner,
                                            const spawner::Spawner::Place& place,
                                            spawner::SpawnOrder order,
                                            std::chrono::steady_clock::time_point deadline) {
  order.out = out.write.get();
  order.err = err.write.get();
  order.assignment = assignment.read.get();
  order.exit_record = exit_record.get();
  const auto way_in = limits->way_in();
  order.task_files.reserve(way_in.tasks.size());
  for (const auto& file : way_in.tasks) order.task_files.push_back(file.get());
  order.group = way_in.group.get();
  order.open_files = limits->open_files();
  auto spawning = spawner.spawn(place, std::move(order), deadline);
  auto forked = co_await std::move(spawning);
  if (forked.has_error()) co_return forked.error();
  spawned = std::move(forked.value());
  for (auto* end : {&out.write, &err.write, &assignment.read, &exit_record}) end->reset();
  co_return Outcome<void>();
}

bool Launch::is_alive() const { return spawned.init && !spawned.init.has_ended(); }

void Launch::end(std::chrono::milliseconds patience) {
  // Without an assignment the worker ends by itself; its init need not wait.
  assignment.write.reset();
  if (!spawned.init) return;
  sys::kill_with_descendants(spawned.init, spawned.pid_namespace);
  if (!spawned.init.ends_within(static_cast<int>(patience.count()))) return;
  try {
    spawned.init.reap();
  } catch (const std::system_error&) {
    // With the orphans it was, already.
  }
  spawned.init = {};
}

}  // namespace supervisor::lifecycle
