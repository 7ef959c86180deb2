#include "api_gateway/reply.h"

#include <array>
#include <boost/beast/http/status.hpp>
#include <ctime>

#include "api_gateway/json_text.h"
#include "api_gateway/plugin_json.h"
#include "api_gateway/reason_status.h"

namespace gateway {

Reply reply_to(supervisor::Failure failure, const std::string& key) {
  if (failure.plugin().empty()) failure.set_plugin(key);
  return reply_to(failure);
}

Reply reply_to(const supervisor::Failure& failure) {
  return reply_to(failure, status_of(failure.reason()).code);
}

Reply reply_to(const supervisor::Failure& failure, unsigned status) {
  Reply reply;
  reply.status = status;
  reply.body = error_json(failure);
  const unsigned retry_after = status_of(failure.reason()).retry_after_seconds;
  if (retry_after > 0) reply.headers = "Retry-After: " + std::to_string(retry_after) + "\r\n";
  if (status == 401) reply.headers += "WWW-Authenticate: Bearer\r\n";
  return reply;
}

std::string head_of(const Reply& reply, bool keep_alive, std::string_view date) {
  std::string head;
  head.reserve(256 + reply.headers.size());
  const std::string_view phrase =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(reply.status));
  head.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ").append(phrase);
  head.append("\r\nServer: plugin-gateway\r\nDate: ").append(date);
  head.append("\r\nContent-Type: ").append(reply.content_type);
  head.append("\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ");
  head.append(std::to_string(reply.body.size())).append("\r\n");
  // HTTP/1.1 keeps by default, 1.0 does not: saying it serves both.
  head.append(keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n");
  head.append(reply.headers).append("\r\n");
  return head;
}

std::string_view http_date() {
  thread_local std::time_t written = 0;
  thread_local std::array<char, 32> text{};
  thread_local std::size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != written || size == 0) {
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    // The process never leaves the "C" locale, so the names are English.
    size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    written = now;
  }
  return {text.data(), size};
}

}  // namespace gateway
