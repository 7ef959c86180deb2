#include "supervisor/sys/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "supervisor/sys/syscall.h"

namespace supervisor::sys {

UniqueFd pipe_holding(std::string_view content) {
  int ends[2];
  checked("pipe2", [&] { return ::pipe2(ends, O_CLOEXEC); });
  UniqueFd read(ends[0]);
  const UniqueFd write(ends[1]);
  checked("write", [&] { return ::write(write.get(), content.data(), content.size()); });
  return read;
}

}  // namespace supervisor::sys
