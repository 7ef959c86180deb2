#include "supervisor/lifecycle/change_signal.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace supervisor::lifecycle {

void ChangeSignal::notify() {
  ++version_;
  for (auto* timer : waiters_) timer->cancel();
}

boost::asio::awaitable<bool> ChangeSignal::changed_since(std::uint64_t seen,
                                                         Clock::time_point deadline) {
  if (version_ != seen) co_return true;
  boost::asio::steady_timer timer(executor_, deadline);
  const auto place = waiters_.insert(waiters_.end(), &timer);
  // The timer is cancelled by notify(); the error code says no more than the
  // version does.
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  waiters_.erase(place);
  co_return version_ != seen;
}

}  // namespace supervisor::lifecycle
