// bench_link: one JSON object on stdout with the round trip of the link and,
// from the same run, of its floor and of a plain grpcio worker.
//
//   bench_link [--seconds S] [--python PATH] [--only link|floor|grpcio_unary]
#include <absl/synchronization/mutex.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "supervisor/sys/syscall.h"
#include "tests/bench/link/closed_loop.h"
#include "tests/bench/link/floor_side.h"
#include "tests/bench/link/link_side.h"
#include "tests/bench/link/unary_side.h"

namespace {

using namespace std::chrono_literals;

const std::string params = R"({"n":1})";

struct Scratch {
  std::filesystem::path path;
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "bench-link-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) supervisor::sys::throw_errno("mkdtemp");
    path = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path); }
};

/// p50 and p99 one at a time, and throughput at each number in flight.
template <typename Side>
boost::json::object measure(Side& side, std::chrono::milliseconds duration) {
  boost::json::object row;
  for (const int in_flight : {1, 8, 64}) {
    const auto measured = bench::run_closed_loop(
        in_flight, duration / 4, duration,
        [&](std::function<void(bool)> done) { side.begin(params, std::move(done)); });
    if (in_flight == 1) {
      row["p50_us"] = measured.p50_us;
      row["p99_us"] = measured.p99_us;
    }
    row["throughput_" + std::to_string(in_flight)] = measured.per_second;
    std::cerr << "  " << in_flight << " in flight: " << measured.per_second << "/s, p50 "
              << measured.p50_us << " us, p99 " << measured.p99_us << " us\n";
  }
  return row;
}

double ratio(const boost::json::object& of, const boost::json::object& to, const char* metric) {
  return of.at(metric).to_number<double>() / to.at(metric).to_number<double>();
}

int run(const std::string& python, double seconds, const std::string& only) {
  const Scratch scratch;
  const std::chrono::milliseconds duration(static_cast<long>(seconds * 1000));
  boost::json::object out;
  const auto wanted = [&](const char* name) { return only.empty() || only == name; };
  if (wanted("floor")) {
    std::cerr << "floor: socketpair and protobuf\n";
    bench::FloorSide floor(python);
    const auto measured = bench::run_blocking(duration / 4, duration, [&] { floor.call(params); });
    out["floor"] = {{"p50_us", measured.p50_us},
                    {"p99_us", measured.p99_us},
                    {"throughput_1", measured.per_second}};
    std::cerr << "  1 in flight: " << measured.per_second << "/s, p50 " << measured.p50_us
              << " us, p99 " << measured.p99_us << " us\n";
  }
  if (wanted("link")) {
    std::cerr << "link\n";
    bench::LinkSide link(python, scratch.path);
    if (std::getenv("BENCH_WORKER_PID") != nullptr) std::cerr << link.worker_pid() << "\n";
    out["link"] = measure(link, duration);
  }
  if (wanted("grpcio_unary")) {
    std::cerr << "grpcio_unary: a plain Python grpcio server\n";
    bench::UnarySide unary(python, scratch.path);
    out["grpcio_unary"] = measure(unary, duration);
  }
  if (only.empty()) {
    const auto& link = out["link"].as_object();
    const auto& floor = out["floor"].as_object();
    const auto& unary = out["grpcio_unary"].as_object();
    out["ratios"] = {{"p50_to_floor", ratio(link, floor, "p50_us")},
                     {"p99_to_floor", ratio(link, floor, "p99_us")},
                     {"p50_to_grpcio_unary", ratio(link, unary, "p50_us")},
                     {"throughput_1_to_grpcio_unary", ratio(link, unary, "throughput_1")},
                     {"throughput_8_to_grpcio_unary", ratio(link, unary, "throughput_8")},
                     {"throughput_64_to_grpcio_unary", ratio(link, unary, "throughput_64")}};
  }
  std::cout << boost::json::serialize(out) << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The round trip of the link beside its floor and a grpcio worker, as JSON"};
  double seconds = 3;
  std::string python = "/usr/bin/python3";
  std::string only;
  app.add_option("--seconds", seconds, "How long each figure is measured");
  app.add_option("--python", python, "Interpreter of the worker and of the peers");
  app.add_option("--only", only, "link, floor or grpcio_unary alone")
      ->check(CLI::IsMember({"link", "floor", "grpcio_unary"}));
  CLI11_PARSE(app, argc, argv);
  // As the daemons do.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  try {
    return run(python, seconds, only);
  } catch (const std::exception& error) {
    std::cerr << "bench_link: " << error.what() << "\n";
    return 1;
  }
}
