#include "supervisor/store/plugin_user_rows.h"

#include <set>

namespace supervisor::store {

std::map<std::string, std::uint32_t> give_plugin_users(pqxx::work& transaction,
                                                       const std::vector<std::string>& keys,
                                                       std::uint32_t first, std::uint32_t last) {
  // Two supervisors on one database must not give one id twice.
  transaction.exec("LOCK TABLE supervisor_plugin_users IN SHARE ROW EXCLUSIVE MODE");
  std::map<std::string, std::uint32_t> users;
  std::set<std::uint32_t> taken;
  for (const auto& row :
       transaction.exec("SELECT plugin_key, user_id FROM supervisor_plugin_users")) {
    users.emplace(row[0].as<std::string>(), row[1].as<std::uint32_t>());
    taken.insert(row[1].as<std::uint32_t>());
  }
  auto next = first;
  for (const auto& key : keys) {
    if (users.contains(key)) continue;
    while (next <= last && taken.contains(next)) ++next;
    if (next > last) break;
    transaction.exec_params(
        "INSERT INTO supervisor_plugin_users (plugin_key, user_id) VALUES ($1, $2)", key,
        static_cast<std::int64_t>(next));
    users.emplace(key, next++);
  }
  return users;
}

}  // namespace supervisor::store
