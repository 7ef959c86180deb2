#include "supervisor/sys/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "supervisor/sys/syscall.h"

namespace supervisor::sys {

Pipe make_pipe() {
  int ends[2];
  checked("pipe2", [&] { return ::pipe2(ends, O_CLOEXEC); });
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void fill_pipe(UniqueFd write, std::string_view content) {
  checked("write", [&] { return ::write(write.get(), content.data(), content.size()); });
}

}  // namespace supervisor::sys
