#include "tests/integration/private_postgres.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <initializer_list>
#include <pqxx/pqxx>
#include <stdexcept>
#include <thread>
#include <vector>

namespace store_test {
namespace {

constexpr auto patience = std::chrono::seconds(30);

std::filesystem::path newest_programs() {
  std::filesystem::path newest;
  int newest_version = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql")) {
    const int version = std::atoi(entry.path().filename().c_str());
    if (version > newest_version && std::filesystem::exists(entry.path() / "bin/initdb")) {
      newest = entry.path() / "bin";
      newest_version = version;
    }
  }
  if (newest.empty()) throw std::runtime_error("no PostgreSQL server is installed");
  return newest;
}

// PostgreSQL refuses to run as root. The death signal must be set after the
// change of user, which clears it; setpriv does both in that order.
pid_t spawn(std::vector<std::string> arguments, const std::filesystem::path& log) {
  std::vector<std::string> command = {"setpriv", "--pdeathsig", "KILL"};
  if (::geteuid() == 0) {
    command.insert(command.end(), {"--reuid", "postgres", "--regid", "postgres", "--clear-groups"});
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (auto& argument : command) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  if (child < 0) throw std::runtime_error("fork failed");
  return child;
}

}  // namespace

PrivatePostgres::PrivatePostgres() : programs_(newest_programs()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "store_test_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
  directory_ = pattern;
  if (::geteuid() == 0) {
    const auto* user = ::getpwnam("postgres");
    if (user == nullptr) throw std::runtime_error("there is no user postgres");
    if (::chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0) {
      throw std::runtime_error("chown failed");
    }
  }
  int status = 0;
  const pid_t initdb = spawn({programs_ / "initdb", "-D", directory_ / "data", "-A", "trust", "-U",
                              "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"},
                             directory_ / "log");
  ::waitpid(initdb, &status, 0);
  if (status != 0) throw std::runtime_error("initdb failed: see " + (directory_ / "log").string());
  start();
}

PrivatePostgres::~PrivatePostgres() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void PrivatePostgres::start() {
  if (server_ != 0) return;
  server_ = spawn({programs_ / "postgres", "-D", directory_ / "data", "-k", directory_, "-c",
                   "listen_addresses=", "-c", "fsync=off"},
                  directory_ / "log");
  const auto until = std::chrono::steady_clock::now() + patience;
  while (PQping(connection("postgres").c_str()) != PQPING_OK) {
    if (std::chrono::steady_clock::now() > until || ::waitpid(server_, nullptr, WNOHANG) != 0) {
      throw std::runtime_error("PostgreSQL did not start: see " + (directory_ / "log").string());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // It tells nobody.
  }
}

void PrivatePostgres::stop() {
  if (server_ == 0) return;
  ::kill(server_, SIGQUIT);
  ::waitpid(server_, nullptr, 0);
  server_ = 0;
}

std::string PrivatePostgres::new_database() {
  const std::string name = "test_" + std::to_string(++databases_);
  pqxx::connection admin(connection("postgres"));
  pqxx::nontransaction(admin).exec("CREATE DATABASE " + name);
  return connection(name);
}

std::string PrivatePostgres::connection(const std::string& database) const {
  return "host=" + directory_.string() + " user=postgres dbname=" + database;
}

PrivatePostgres& postgres() {
  static PrivatePostgres instance;
  return instance;
}

}  // namespace store_test
