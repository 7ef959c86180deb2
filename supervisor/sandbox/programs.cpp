#include "supervisor/sandbox/programs.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::sandbox {

namespace fs = std::filesystem;

namespace {

constexpr int deepest_script = 4;  // As the kernel follows them (binfmt_script).
constexpr std::size_t head_bytes = 4096;

bool is_program(const fs::path& file) {
  std::error_code none;
  return fs::is_regular_file(file, none) && ::access(file.c_str(), X_OK) == 0;
}

fs::path found(const std::string& name, const std::string& path) {
  if (name.starts_with('/')) return is_program(name) ? fs::path(name) : fs::path();
  std::istringstream directories(path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (directory.starts_with('/') && is_program(fs::path(directory) / name))
      return fs::path(directory) / name;
  }
  return {};
}

std::string head_of(const fs::path& file) {
  const sys::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::string head(head_bytes, '\0');
  const auto size = fd ? ::pread(fd.get(), head.data(), head.size(), 0) : -1;
  head.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return head;
}

/// Of a dynamically linked program of this machine; empty for others.
fs::path loader_of(const std::string& head) {
  ElfW(Ehdr) header;
  if (head.size() < sizeof header || std::memcmp(head.data(), ELFMAG, SELFMAG) != 0) return {};
  std::memcpy(&header, head.data(), sizeof header);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) part;
    const auto at = header.e_phoff + i * sizeof part;
    if (at + sizeof part > head.size()) return {};
    std::memcpy(&part, head.data() + at, sizeof part);
    if (part.p_type != PT_INTERP || part.p_offset + part.p_filesz > head.size()) continue;
    const std::string name(head, part.p_offset, part.p_filesz);
    return name.c_str();  // Without the NUL at its end.
  }
  return {};
}

}  // namespace

std::vector<fs::path> files_of_program(const std::string& name, const std::string& path) {
  std::vector<fs::path> files;
  auto file = found(name, path);
  for (int depth = 0; !file.empty() && depth < deepest_script; ++depth) {
    files.push_back(file);
    const auto head = head_of(file);
    if (!head.starts_with("#!")) {
      if (auto loader = loader_of(head); !loader.empty()) files.push_back(std::move(loader));
      break;
    }
    std::istringstream line(head.substr(2, head.find('\n') - 2));
    std::string interpreter;
    std::string argument;
    line >> interpreter >> argument;
    // What env(1) starts is the interpreter that is meant.
    if (fs::path(interpreter).filename() == "env" && !argument.empty()) {
      const auto env = files_of_program(interpreter, path);
      files.insert(files.end(), env.begin(), env.end());
      if (argument == "-S") line >> argument;
      interpreter = argument;
    }
    file = found(interpreter, path);
  }
  return files;
}

}  // namespace supervisor::sandbox
