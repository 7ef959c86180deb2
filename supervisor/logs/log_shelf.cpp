#include "supervisor/logs/log_shelf.h"

#include <sys/stat.h>

#include "supervisor/sys/syscall.h"

namespace supervisor::logs {

LogShelf::LogShelf(LogOptions options) : options_(std::move(options)) {
  std::filesystem::create_directories(options_.directory);
  sys::checked("chmod " + options_.directory.string(),
               [this] { return ::chmod(options_.directory.c_str(), 0700); });
}

std::shared_ptr<LogBook> LogShelf::book(const std::string& plugin) {
  const std::lock_guard lock(mutex_);
  if (const auto found = books_.find(plugin); found != books_.end())
    if (auto book = found->second.lock()) return book;
  std::erase_if(books_, [](const auto& entry) { return entry.second.expired(); });
  auto file = std::make_shared<LogFile>(options_.directory, plugin, options_.files);
  auto book = std::make_shared<LogBook>(plugin, options_.books, std::move(file), writer_);
  books_[plugin] = book;
  return book;
}

}  // namespace supervisor::logs
