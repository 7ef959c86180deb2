// What plugins may ask of the host: their own settings and collections, who
// else there is, and updates for everyone who listens. Who asks is known from
// the connection and never taken from what is said.
//
// One per supervisor, built by main(); on the core thread. Database work is the
// store's.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "plugin_supervisor/v1/worker_link.pb.h"
#include "supervisor/events/event_bus.h"
#include "supervisor/host/host_caller.h"
#include "supervisor/store/store.h"

namespace supervisor::host {

class HostCalls {
 public:
  HostCalls(boost::asio::any_io_executor core, store::Store& store, events::EventBus& bus)
      : core_(std::move(core)), store_(store), bus_(bus) {}

  /// Told of a row that a plugin has changed, before the plugin is answered, so
  /// that what it does next finds its own change.
  std::function<void(store::PluginConfigRow)> on_row;

  /// The desk at which one worker of `plugin` asks.
  std::shared_ptr<HostCaller> open(std::string plugin, HostCaller::Answer answer) {
    return std::make_shared<HostCaller>(*this, core_, std::move(plugin), std::move(answer));
  }

  /// JSON of the answer. `params` has passed check_params().
  boost::asio::awaitable<Outcome<std::string>> answer(std::string plugin, v1::HostMethod method,
                                                      std::string params);

 private:
  boost::asio::awaitable<Outcome<std::string>> get_config(std::string plugin, std::string params);
  boost::asio::awaitable<Outcome<std::string>> save_config(std::string plugin, std::string params);
  boost::asio::awaitable<Outcome<std::string>> list_configs();
  Outcome<std::string> send_update(const std::string& plugin, const std::string& params);

  const boost::asio::any_io_executor core_;
  store::Store& store_;
  events::EventBus& bus_;
};

}  // namespace supervisor::host
