#include "supervisor/logs/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::logs {
namespace {

// A name has at most 255 bytes (NAME_MAX); ".log.99" is to fit.
constexpr std::size_t longest_name = 200;
constexpr std::size_t largest_write = 256u << 10;

// FNV-1a: the same in every build, since it names files that stay.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const unsigned char byte : text) hash = (hash ^ byte) * 1099511628211u;
  return hash;
}

// The last `bytes` bytes of a file; empty when it cannot be read.
std::string end_of(const std::filesystem::path& path, std::size_t bytes, bool& is_whole) {
  is_whole = true;
  const sys::UniqueFd file(sys::retry_on_eintr(
      [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); }));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  is_whole = size <= bytes;
  std::string text(std::min(size, bytes), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = sys::retry_on_eintr([&] {
      return ::pread(file.get(), text.data() + done, text.size() - done,
                     static_cast<off_t>(size - text.size() + done));
    });
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  text.resize(done);
  return text;
}

}  // namespace

std::string file_name_of(std::string_view key) {
  static constexpr std::string_view hex = "0123456789ABCDEF";
  std::string name;
  for (const unsigned char byte : key) {
    const bool plain =
        std::isalnum(byte) != 0 || byte == '_' || byte == '-' || (byte == '.' && !name.empty());
    if (plain) {
      name += static_cast<char>(byte);
    } else {
      name += {'%', hex[byte >> 4], hex[byte & 15]};
    }
  }
  if (name.size() > longest_name)
    name = name.substr(0, longest_name - 17) + "~" + fmt::format("{:016x}", hash_of(key));
  return name;
}

LogFile::LogFile(const std::filesystem::path& directory, const std::string& plugin,
                 LogFileLimits limits)
    : path_(directory / (file_name_of(plugin) + ".log")), limits_(limits) {}

std::filesystem::path LogFile::older(std::uint32_t age) const {
  return path_.native() + "." + std::to_string(age);
}

void LogFile::rotate() {
  for (std::uint32_t age = limits_.files - 1; age > 0; --age) {
    const auto from = age == 1 ? path_ : older(age - 1);
    // The oldest is replaced. What is not there yet cannot be renamed.
    if (::rename(from.c_str(), older(age).c_str()) != 0 && errno != ENOENT)
      sys::throw_errno("rename " + from.string());
  }
  if (limits_.files <= 1 && ::unlink(path_.c_str()) != 0 && errno != ENOENT)
    sys::throw_errno("unlink " + path_.string());
}

void LogFile::append(std::string_view lines) {
  // A batch may be larger than a file.
  const std::size_t most = std::min<std::uint64_t>(largest_write, limits_.file_bytes);
  while (!lines.empty()) {
    auto piece = lines.substr(0, most);
    if (piece.size() < lines.size()) {
      const auto end = piece.rfind('\n');
      piece = lines.substr(0, (end == std::string_view::npos ? lines.find('\n') : end) + 1);
    }
    append_piece(piece);
    lines.remove_prefix(piece.size());
  }
}

void LogFile::append_piece(std::string_view lines) {
  const auto open = [this] {
    return sys::UniqueFd(sys::checked("open " + path_.string(), [this] {
      return ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    }));
  };
  auto file = open();
  struct stat status {};
  sys::checked("fstat " + path_.string(), [&] { return ::fstat(file.get(), &status); });
  if (status.st_size > 0 &&
      static_cast<std::uint64_t>(status.st_size) + lines.size() > limits_.file_bytes) {
    rotate();
    file = open();
    status.st_size = 0;
  }
  char last = '\n';
  if (may_end_torn_ && status.st_size > 0 &&
      ::pread(file.get(), &last, 1, status.st_size - 1) == 1 && last != '\n')
    sys::checked("write " + path_.string(), [&] { return ::write(file.get(), "\n", 1); });
  may_end_torn_ = true;
  while (!lines.empty()) {
    const auto count = sys::checked(
        "write " + path_.string(), [&] { return ::write(file.get(), lines.data(), lines.size()); });
    lines.remove_prefix(static_cast<std::size_t>(count));
  }
  may_end_torn_ = false;
}

std::vector<std::string> LogFile::tail(std::size_t bytes) const {
  std::string text;
  for (std::uint32_t age = 0; age < limits_.files && text.size() < bytes; ++age) {
    bool is_whole = true;
    std::string part = end_of(age == 0 ? path_ : older(age), bytes - text.size(), is_whole);
    // The first line of a cut part is a part of a line.
    if (!is_whole) part.erase(0, std::min(part.find('\n'), part.size() - 1) + 1);
    text.insert(0, part);
    if (!is_whole) break;
  }
  std::vector<std::string> lines;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (end > 0) lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

}  // namespace supervisor::logs
