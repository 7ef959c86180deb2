#include "supervisor/services/log_reading.h"

#include <boost/asio/post.hpp>
#include <mutex>
#include <vector>

namespace supervisor::services {
namespace {

// Behind it new lines queue until the history has been pushed.
struct Gate {
  std::mutex mutex;
  bool open = false;
  std::vector<v1::LogLine> early;
};

logs::LineFilter filter_of(const v1::LogsRequest& request) {
  return {.min_level = request.min_level(),
          .job = request.job(),
          .since_unix_us = request.since_unix_us()};
}

}  // namespace

void LogReading::serve(const std::shared_ptr<Call>& call,
                       const std::shared_ptr<logs::LogBook>& book) {
  const auto& request = call->request();
  const auto gate = std::make_shared<Gate>();
  logs::LogBook::Follower follower;
  if (request.follow())
    follower = [call, gate](const v1::LogLine& line) {
      const std::lock_guard lock(gate->mutex);
      if (gate->open) {
        call->push(line);
      } else {
        gate->early.push_back(line);
      }
    };
  logs::LogBook::FollowerId id = 0;
  auto history = book->look_back(request.tail(), filter_of(request), std::move(follower), &id);
  const bool at_hand = history.missing == 0;
  auto answer = [call, book, gate, id, history = std::move(history)] {
    for (auto& line : book->older(history, filter_of(call->request()))) call->push(std::move(line));
    for (const auto& line : history.lines) call->push(line);
    if (!call->request().follow()) {
      call->end();
      return;
    }
    {
      const std::lock_guard lock(gate->mutex);
      for (const auto& line : gate->early) call->push(line);
      gate->early.clear();
      gate->open = true;
    }
    call->when_over([book, id] { book->unfollow(id); });
  };
  if (at_hand) {
    answer();
  } else {
    boost::asio::post(files_, std::move(answer));
  }
}

}  // namespace supervisor::services
