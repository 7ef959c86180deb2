// A store on a database of its own, a second client beside it, and a way to
// run coroutines to their end. One per test case, on the main thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <pqxx/pqxx>
#include <string>
#include <utility>

#include "supervisor/store/store.h"
#include "tests/integration/private_postgres.h"

namespace store_test {

using namespace std::chrono_literals;
namespace store = supervisor::store;
namespace v1 = supervisor::v1;

inline std::filesystem::path schema_directory() { return SCHEMA_DIRECTORY; }

struct StoreFixture {
  std::string connection = postgres().new_database();
  boost::asio::io_context io;

  store::StoreOptions options() const { return {connection, schema_directory(), 2s, 2s}; }

  /// As another program that uses the database would do it.
  pqxx::result as_another_client(const std::string& sql) const {
    pqxx::connection client(connection);
    pqxx::work transaction(client);
    auto result = transaction.exec(sql);
    transaction.commit();
    return result;
  }

  std::string value(const std::string& sql) const {
    return as_another_client(sql).front()[0].as<std::string>();
  }

  template <typename T>
  T run(boost::asio::awaitable<T> awaitable) {
    auto future = boost::asio::co_spawn(io, std::move(awaitable), boost::asio::use_future);
    while (future.wait_for(0s) != std::future_status::ready) {
      io.restart();
      if (io.run_one_for(30s) == 0) throw std::runtime_error("no answer within 30 s");
    }
    return future.get();
  }

  /// Lets coroutines run until `condition` holds; false when it never does.
  template <typename Condition>
  bool eventually(const Condition& condition) {
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      io.restart();
      io.run_one_for(100ms);
    }
    return true;
  }
};

/// A copy of the migrations that a test may change.
struct ChangeableSchema {
  std::filesystem::path path;
  ChangeableSchema() {
    std::string pattern = (std::filesystem::temp_directory_path() / "schema_XXXXXX").string();
    path = ::mkdtemp(pattern.data());
    std::filesystem::copy(schema_directory(), path);
  }
  ~ChangeableSchema() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& sql) const {
    std::ofstream(path / name) << sql;
  }
};

}  // namespace store_test
