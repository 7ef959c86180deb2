#include "supervisor/link/launch_register.h"

#include "supervisor/sys/digest.h"
#include "supervisor/sys/random.h"

namespace supervisor::link {

void LaunchRegister::add(const std::shared_ptr<StreamLink>& link, std::string token_digest) {
  const std::lock_guard lock(mutex_);
  const auto& launch = link->launch();
  entries_.insert_or_assign({launch.plugin, launch.generation},
                            Entry{std::move(token_digest), link});
  std::erase_if(links_, [](const auto& known) { return known.expired(); });
  links_.push_back(link);
}

void LaunchRegister::remove(const StreamLink& link) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({link.launch().plugin, link.launch().generation});
  if (found == entries_.end()) return;
  const auto known = found->second.link.lock();
  if (!known || known.get() == &link) entries_.erase(found);
}

std::shared_ptr<StreamLink> LaunchRegister::find(const v1::Hello& hello) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({hello.plugin(), hello.generation()});
  if (found == entries_.end()) return nullptr;
  if (!sys::equal_in_constant_time(found->second.token_digest, sys::sha256(hello.token())))
    return nullptr;
  return found->second.link.lock();
}

LaunchRegister::Admitted LaunchRegister::admit(const v1::WorkerBatch& first,
                                               const std::shared_ptr<FrameStream>& stream) const {
  if (first.frames_size() == 0 || !first.frames(0).has_hello())
    return {nullptr, "the first frame must be a Hello"};
  const auto& hello = first.frames(0).hello();
  if (hello.protocol_version() != 1) return {nullptr, "protocol version 1 is required"};
  auto link = find(hello);
  if (!link) return {nullptr, "no launch waits for this worker and token"};
  auto refusal = link->attach(stream, hello);
  if (!refusal.empty()) link.reset();
  return {std::move(link), std::move(refusal)};
}

std::vector<std::shared_ptr<StreamLink>> LaunchRegister::links() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<StreamLink>> living;
  for (const auto& known : links_) {
    if (auto link = known.lock()) living.push_back(std::move(link));
  }
  return living;
}

}  // namespace supervisor::link
