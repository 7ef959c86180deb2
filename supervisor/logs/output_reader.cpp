#include "supervisor/logs/output_reader.h"

#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "supervisor/sys/syscall.h"

namespace supervisor::logs {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

// Reads what is there, up to 64 KiB, so that others get their turn. False at
// the end of the stream. Not a coroutine: thousands of pipes share the memory.
bool read_some(int pipe, LineSplitter& lines) {
  std::array<char, 16384> buffer;
  for (int turn = 0; turn < 4; ++turn) {
    const auto count =
        sys::retry_on_eintr([&] { return ::read(pipe, buffer.data(), buffer.size()); });
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN;
    lines.feed({buffer.data(), static_cast<std::size_t>(count)});
    if (static_cast<std::size_t>(count) < buffer.size()) return true;
  }
  return true;
}

}  // namespace

asio::awaitable<void> read_output(asio::posix::stream_descriptor& pipe, LogBook& book,
                                  v1::LogSource source, std::uint64_t generation) {
  bool over_the_rate = false;
  LineSplitter lines([&](const RawLine& line) {
    if (!book.take_printed(line, source, generation)) over_the_rate = true;
  });
  asio::steady_timer breath(pipe.get_executor());
  while (pipe.is_open()) {
    const auto [error] =
        co_await pipe.async_wait(asio::posix::stream_descriptor::wait_read, no_throw);
    if (error) break;
    over_the_rate = false;
    const auto began = Clock::now();
    const bool more = read_some(pipe.native_handle(), lines);
    if (!more) break;
    if (!over_the_rate) continue;
    breath.expires_after(4 * (Clock::now() - began));
    co_await breath.async_wait(no_throw);
  }
  lines.finish();
}

}  // namespace supervisor::logs
