#include "supervisor/sys/start_secrets.h"

#include <string.h>

#include <cstdlib>

namespace supervisor::sys {
namespace {

void erase(char* text) { ::explicit_bzero(text, ::strlen(text)); }

}  // namespace

void erase_variable(const char* name) {
  if (char* const value = std::getenv(name)) erase(value);
  ::unsetenv(name);
}

void erase_argument(int argc, char** argv, std::string_view option) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    if (word == option && i + 1 < argc) {
      erase(argv[++i]);
    } else if (word.size() > option.size() && word.starts_with(option) &&
               word[option.size()] == '=') {
      erase(argv[i] + option.size() + 1);
    }
  }
}

}  // namespace supervisor::sys
