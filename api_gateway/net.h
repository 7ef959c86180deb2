// The Asio types of the gateway. A connection lives on one io_context that one
// thread runs, so its executor needs neither type erasure nor a strand.
#pragma once

#include <boost/asio.hpp>
#include <chrono>

namespace gateway {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;
using Executor = asio::io_context::executor_type;
using tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

template <typename T>
using Awaitable = asio::awaitable<T, Executor>;

/// Completion as values: co_await gives (error_code, ...), and nothing throws.
inline constexpr auto as_values = asio::as_tuple(asio::use_awaitable_t<Executor>());

}  // namespace gateway
