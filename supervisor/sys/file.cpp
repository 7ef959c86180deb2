#include "supervisor/sys/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::sys {

std::string read_file(const std::filesystem::path& path, std::size_t limit, Links links) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  UniqueFd fd(checked("open " + path.string(), [&] {
    return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                                    (links == Links::refuse ? O_NOFOLLOW : 0));
  }));
  struct stat status {};
  checked("stat " + path.string(), [&] { return ::fstat(fd.get(), &status); });
  if (!S_ISREG(status.st_mode)) {
    errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    throw_errno("not a regular file: " + path.string());
  }
  std::string content;
  // Read rather than trust st_size: it is 0 in /proc and may change under us.
  char buffer[65536];
  for (;;) {
    const auto count =
        checked("read " + path.string(), [&] { return ::read(fd.get(), buffer, sizeof buffer); });
    if (count == 0) return content;
    if (content.size() + static_cast<std::size_t>(count) > limit)
      throw FileTooLarge(path.string() + " is larger than " + std::to_string(limit) + " bytes");
    content.append(buffer, static_cast<std::size_t>(count));
  }
}

namespace {

void write_and_rename(const std::filesystem::path& path, std::string_view content, int mode,
                      bool to_disk) {
  const std::string temporary = path.string() + ".tmp";
  {
    UniqueFd fd(checked("create " + temporary, [&] {
      return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                    static_cast<mode_t>(mode));
    }));
    while (!content.empty()) {
      const auto count = checked("write " + temporary,
                                 [&] { return ::write(fd.get(), content.data(), content.size()); });
      content.remove_prefix(static_cast<std::size_t>(count));
    }
    if (to_disk) checked("fsync " + temporary, [&] { return ::fsync(fd.get()); });
  }
  checked("rename " + temporary, [&] { return ::rename(temporary.c_str(), path.c_str()); });
}

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::string_view content, int mode) {
  write_and_rename(path, content, mode, true);
}

void replace_file(const std::filesystem::path& path, std::string_view content, int mode) {
  write_and_rename(path, content, mode, false);
}

}  // namespace supervisor::sys
