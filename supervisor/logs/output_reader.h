// Reads what a worker prints from the pipe that the supervisor holds, into the
// plugin's log.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>

#include "supervisor/logs/log_book.h"

namespace supervisor::logs {

/// Reads until the pipe ends or is closed; both must outlive this. The
/// descriptor is non-blocking. On the thread of the pipe's executor, of which a
/// plugin that prints more than it may gets a fifth at most: its pipe fills
/// then, and it waits in its own print().
boost::asio::awaitable<void> read_output(boost::asio::posix::stream_descriptor& pipe, LogBook& book,
                                         v1::LogSource source, std::uint64_t generation);

}  // namespace supervisor::logs
