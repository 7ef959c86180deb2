// Statements that a connection's server parses and plans once, however often
// they are asked.
#pragma once

#include <functional>
#include <pqxx/pqxx>
#include <string>
#include <utility>

namespace supervisor::store {

/// Runs `sql` with its parameters, prepared when this connection meets it for
/// the first time. For statements of which there are few: the server keeps them
/// for as long as the connection lives.
template <typename... Parameters>
pqxx::result exec_prepared(pqxx::transaction_base& transaction, const std::string& sql,
                           Parameters&&... parameters) {
  // libpqxx refuses two texts of one name.
  const auto name = "s" + std::to_string(std::hash<std::string>{}(sql));
  transaction.conn().prepare(name, sql);
  return transaction.exec_prepared(name, std::forward<Parameters>(parameters)...);
}

}  // namespace supervisor::store
