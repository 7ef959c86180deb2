#include "supervisor/store/host_tables.h"

namespace supervisor::store {

const std::string host_tables_shape =
    "(SELECT concat(to_regclass('plugins_pluginrepo') IS NOT NULL, ' ',"
    "               string_agg(quote_ident(attname), ' ' ORDER BY attnum))"
    "   FROM pg_attribute"
    "  WHERE attrelid = to_regclass('plugins_pluginconfig') AND attnum > 0 AND NOT attisdropped)";

HostTables HostTables::present(pqxx::transaction_base& transaction) {
  HostTables tables;
  const auto row = transaction.exec1("SELECT to_regclass('plugins_pluginrepo') IS NOT NULL, " +
                                     host_tables_shape);
  tables.has_repo = row[0].as<bool>();
  tables.shape = row[1].as<std::string>();
  const auto columns = transaction.exec(
      "SELECT attname, format_type(atttypid, NULL),"
      "       attnotnull AND NOT atthasdef AND attidentity = ''"
      "  FROM pg_attribute"
      " WHERE attrelid = to_regclass('plugins_pluginconfig') AND attnum > 0"
      "   AND NOT attisdropped");
  for (const auto& column : columns) {
    tables.config[column[0].as<std::string>()] = {column[1].as<std::string>(),
                                                  column[2].as<bool>()};
  }
  return tables;
}

}  // namespace supervisor::store
