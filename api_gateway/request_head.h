// What the head of a request says.
#pragma once

#include <boost/beast/http/verb.hpp>
#include <string_view>

namespace gateway {

/// Points into the parsed message.
struct RequestHead {
  boost::beast::http::verb method = boost::beast::http::verb::unknown;
  std::string_view target;
  std::string_view host;
  std::string_view authorization;
  std::string_view content_type;
  std::string_view prefer;
  std::string_view requested_by;  // The header X-Requested-By.
  std::string_view request_id;    // The header X-Request-Id.
};

}  // namespace gateway
