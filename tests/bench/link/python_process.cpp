#include "tests/bench/link/python_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace bench {

PythonProcess::PythonProcess(const std::string& python, std::vector<std::string> arguments,
                             int inherited) {
  std::vector<char*> argv;
  std::string interpreter = python;
  argv.push_back(interpreter.data());
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  // What it prints must not get into our JSON.
  ::posix_spawn_file_actions_adddup2(&actions, 2, 1);
  if (inherited >= 0) ::posix_spawn_file_actions_adddup2(&actions, inherited, 3);
  const int error =
      ::posix_spawnp(&pid_, interpreter.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), "start " + python);
}

PythonProcess::~PythonProcess() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace bench
