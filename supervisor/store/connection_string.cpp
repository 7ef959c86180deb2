#include "supervisor/store/connection_string.h"

#include <libpq-fe.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>

namespace supervisor::store {
namespace {

using Settings = std::map<std::string, std::string>;

Failure invalid(const std::string& message) {
  return make_failure(
      v1::REASON_INVALID_REQUEST, "connect",
      "The database connection string is invalid: " + message,
      "Give a URI like postgresql://user:password@host:5432/name, special characters in the "
      "password percent-encoded, or key=value pairs.");
}

bool is_uri(const std::string& given) {
  return given.starts_with("postgresql://") || given.starts_with("postgres://");
}

std::string quoted(const std::string& value) {
  std::string result = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result + "'";
}

// An unescaped '@' or '/' in a URI's password moves the rest of it into the
// host, port or name, which libpq then prints. Empty when nothing of the kind.
std::string misplaced_password(const Settings& settings, bool uri) {
  const auto value = [&](const char* name) {
    const auto found = settings.find(name);
    return found == settings.end() ? std::string() : found->second;
  };
  if (value("host").find('@') != std::string::npos) return "the host holds an '@'.";
  const std::string port = value("port");
  if (!std::all_of(port.begin(), port.end(),
                   [](unsigned char c) { return std::isdigit(c) != 0 || c == ','; })) {
    return "the port is not a number.";
  }
  if (uri && value("dbname").find('@') != std::string::npos) {
    return "the database name holds an '@'.";
  }
  return {};
}

}  // namespace

Outcome<ConnectionString> ConnectionString::parse(const std::string& given,
                                                  std::chrono::seconds connect_timeout,
                                                  const std::string& password) {
  if (given.find('\0') != std::string::npos) return invalid("it holds a NUL.");
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(given.c_str(), &error), &PQconninfoFree);
  PQfreemem(error);  // Quotes the string; see the header.
  if (!options) return invalid("it is neither a URI nor key=value pairs of PostgreSQL.");

  Settings settings;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) settings.emplace(option->keyword, option->val);
  }
  if (const auto what = misplaced_password(settings, is_uri(given)); !what.empty()) {
    return invalid(what);
  }

  if (!password.empty()) settings.emplace("password", password);
  const auto seconds = std::to_string(connect_timeout.count());
  settings.emplace("connect_timeout", seconds);
  settings.emplace("application_name", "plugin-supervisor");
  settings.emplace("client_encoding", "UTF8");
  // A peer that vanished without a word is noticed in a minute, not two hours.
  settings.emplace("keepalives_idle", "30");
  settings.emplace("keepalives_interval", "10");
  settings.emplace("keepalives_count", "3");

  ConnectionString result;
  for (const auto& [name, value] : settings) {
    if (!result.text_.empty()) result.text_ += ' ';
    result.text_.append(name).append("=").append(quoted(value));
    if (name.find("password") != std::string::npos && !value.empty()) {
      result.secrets_.push_back(value);
    }
  }
  return result;
}

std::string ConnectionString::redact(std::string message) const {
  for (const auto& secret : secrets_) {
    for (auto at = message.find(secret); at != std::string::npos;
         at = message.find(secret, at + 3)) {
      message.replace(at, secret.size(), "***");
    }
  }
  std::string line;
  for (const char c : message) {
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (blank && (line.empty() || line.back() == ' ')) continue;
    line += blank ? ' ' : c;
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

}  // namespace supervisor::store
