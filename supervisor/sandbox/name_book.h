// What the hosts' names stand for that plugins were granted. Looked up when they
// are first wanted, and again and again for as long as somebody wants them.
//
// One per supervisor, on the core thread, owned by main().
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "supervisor/sandbox/destination.h"

namespace supervisor::sandbox {

class NameBook {
 public:
  using Clock = std::chrono::steady_clock;

  explicit NameBook(const boost::asio::any_io_executor& core) : core_(core), resolver_(core) {}

  struct Entry {
    // Each for some time after it was last an answer: who takes turns among
    // several is not lost, and connections begin a while after a look-up.
    std::map<Address, Clock::time_point> addresses;
    std::string error;  // Of the last look-up.
    Clock::time_point looked_up{};
    bool busy = false;
  };
  /// Null when it has never been asked for.
  [[nodiscard]] const Entry* find(const std::string& name) const;

  /// Returns when all of them have been looked up lately, or at the deadline.
  boost::asio::awaitable<void> look_up(std::vector<std::string> names, Clock::time_point deadline);

  /// Holds names fresh for as long as it lives.
  struct Interest {
    std::vector<std::string> names;
    std::function<void()> on_change;  // One of them stands for something else now.
  };
  void keep(std::weak_ptr<Interest> interest) { interests_.push_back(std::move(interest)); }

  /// Run it for as long as there are plugins.
  boost::asio::awaitable<void> refresh_forever();

 private:
  void begin(const std::string& name);
  void take(const std::string& name, const boost::system::error_code& error,
            const boost::asio::ip::tcp::resolver::results_type& results);

  const boost::asio::any_io_executor core_;
  boost::asio::ip::tcp::resolver resolver_;  // With a thread of its own, for getaddrinfo(3).
  std::map<std::string, Entry> entries_;
  std::vector<std::weak_ptr<Interest>> interests_;
};

}  // namespace supervisor::sandbox
