#include "supervisor/sandbox/name_book.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

namespace supervisor::sandbox {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto fresh_for = 30s;
constexpr auto kept_for = 10min;  // After it was last an answer.
constexpr auto often = 10ms;      // Between two looks whether an answer has come.
constexpr std::size_t most_addresses = 256;

Address address_of(const asio::ip::address& from) {
  if (from.is_v6()) {
    Address address{};
    const auto bytes = from.to_v6().to_bytes();
    std::copy(bytes.begin(), bytes.end(), address.begin());
    return address;
  }
  return parse_range(from.to_string())->address;
}

}  // namespace

const NameBook::Entry* NameBook::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

void NameBook::begin(const std::string& name) {
  auto& entry = entries_[name];
  if (entry.busy) return;
  entry.busy = true;
  resolver_.async_resolve(name, "",
                          [this, name](const boost::system::error_code& error,
                                       const asio::ip::tcp::resolver::results_type& results) {
                            if (error != asio::error::operation_aborted) take(name, error, results);
                          });
}

void NameBook::take(const std::string& name, const boost::system::error_code& error,
                    const asio::ip::tcp::resolver::results_type& results) {
  auto& entry = entries_[name];
  const auto now = Clock::now();
  entry.busy = false;
  entry.looked_up = now;
  entry.error = error ? error.message() : "";
  bool changed = false;
  for (const auto& result : results) {
    if (entry.addresses.size() >= most_addresses) break;
    const auto [place, added] =
        entry.addresses.insert_or_assign(address_of(result.endpoint().address()), now);
    changed = changed || added;
  }
  // Who cannot be asked at the moment has said nothing.
  if (!error)
    changed =
        std::erase_if(entry.addresses,
                      [now](const auto& known) { return now - known.second > kept_for; }) > 0 ||
        changed;
  if (!changed) return;
  for (const auto& weak : std::vector(interests_)) {
    const auto interest = weak.lock();
    if (!interest ||
        std::find(interest->names.begin(), interest->names.end(), name) == interest->names.end())
      continue;
    const auto tell = interest->on_change;  // It may change what it is told by.
    tell();
  }
}

asio::awaitable<void> NameBook::look_up(std::vector<std::string> names,
                                        Clock::time_point deadline) {
  asio::steady_timer timer(core_);
  const auto is_missing = [this](const std::string& name) {
    const auto* entry = find(name);
    return entry == nullptr || entry->looked_up == Clock::time_point{} ||
           (entry->addresses.empty() && Clock::now() - entry->looked_up > 1s);
  };
  for (;;) {
    std::erase_if(names, [&](const std::string& name) { return !is_missing(name); });
    if (names.empty() || Clock::now() >= deadline) co_return;
    for (const auto& name : names) begin(name);
    timer.expires_after(often);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> NameBook::refresh_forever() {
  asio::steady_timer timer(core_);
  for (;;) {
    timer.expires_after(1s);
    co_await timer.async_wait(asio::use_awaitable);
    std::erase_if(interests_, [](const auto& weak) { return weak.expired(); });
    std::set<std::string> wanted;
    for (const auto& weak : interests_)
      if (const auto interest = weak.lock())
        wanted.insert(interest->names.begin(), interest->names.end());
    std::erase_if(entries_, [&wanted](const auto& entry) {
      return !entry.second.busy && !wanted.contains(entry.first) &&
             Clock::now() - entry.second.looked_up > fresh_for;
    });
    for (const auto& name : wanted)
      if (Clock::now() - entries_[name].looked_up > fresh_for) begin(name);
  }
}

}  // namespace supervisor::sandbox
