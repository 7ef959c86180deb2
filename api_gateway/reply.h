// What a request is answered with, before it becomes HTTP.
#pragma once

#include <string>
#include <string_view>

#include "supervisor/sys/failure.h"

namespace gateway {

struct Reply {
  unsigned status = 200;
  std::string_view content_type = "application/json";
  std::string body;
  std::string headers;  // Further header lines, each with its line end.
  bool close = false;   // The connection cannot be used after this reply.
};

/// A failure as the API tells it, under the status of its reason.
Reply reply_to(const supervisor::Failure& failure);

/// The same, of one plugin.
Reply reply_to(supervisor::Failure failure, const std::string& key);

/// The same under another status, for what HTTP tells apart more finely.
Reply reply_to(const supervisor::Failure& failure, unsigned status);

/// The head of `reply` as HTTP/1.1, empty line included. `date` is the value
/// of the header Date.
std::string head_of(const Reply& reply, bool keep_alive, std::string_view date);

/// The time now as HTTP writes it, formatted at most once a second per thread.
std::string_view http_date();

}  // namespace gateway
