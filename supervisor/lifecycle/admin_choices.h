// What admins have chosen for plugins, as the database remembers it: options and
// grants, also of plugins whose files are not there now.
//
// One per registry, on the core thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>

#include "supervisor/lifecycle/plugin_supervision.h"
#include "supervisor/store/store.h"

namespace supervisor::lifecycle {

class AdminChoices {
 public:
  explicit AdminChoices(store::Store& store) : store_(store) {}

  /// Reads them, once. Before that nothing may be saved in their place.
  boost::asio::awaitable<Outcome<void>> recall();
  [[nodiscard]] bool are_known() const { return options_known_ && grants_known_; }

  /// Tells a plugin what was chosen for it.
  void give(PluginSupervision& plugin) const;

  /// Saved with its audit entry, and given. INVALID_REQUEST names what makes no
  /// sense.
  boost::asio::awaitable<Outcome<void>> set_options(PluginSupervision& plugin,
                                                    v1::PluginOptions options,
                                                    v1::AuditEntry audit);
  boost::asio::awaitable<Outcome<void>> set_grant(PluginSupervision& plugin,
                                                  v1::Permissions granted, std::string by,
                                                  v1::AuditEntry audit);

 private:
  boost::asio::awaitable<Outcome<void>> recall_options();
  boost::asio::awaitable<Outcome<void>> recall_grants();

  store::Store& store_;
  bool options_known_ = false;
  bool grants_known_ = false;
  std::map<std::string, v1::PluginOptions> options_;
  std::map<std::string, sandbox::Grant> grants_;
};

}  // namespace supervisor::lifecycle
