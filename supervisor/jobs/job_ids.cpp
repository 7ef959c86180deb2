#include "supervisor/jobs/job_ids.h"

#include <algorithm>
#include <string_view>

#include "supervisor/sys/random.h"

namespace supervisor::jobs {
namespace {

// In the order of their bytes, and none that a person takes for another.
constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr int digit_bits = 5;
constexpr std::size_t half = 9;  // 45 bits: milliseconds last beyond the year 3000.
constexpr std::size_t random_bytes_per_id = 6;
constexpr std::size_t fetched_bytes = random_bytes_per_id * 512;
constexpr std::size_t max_id_size = 64;

void append_digits(std::string& text, std::uint64_t number) {
  for (int place = static_cast<int>(half) - 1; place >= 0; --place)
    text += digits[(number >> (place * digit_bits)) & (digits.size() - 1)];
}

}  // namespace

std::string JobIds::next(std::int64_t unix_ms) {
  if (used_ + random_bytes_per_id > random_.size()) {
    random_ = sys::random_bytes(fetched_bytes);
    used_ = 0;
  }
  std::uint64_t secret = 0;
  for (std::size_t i = 0; i < random_bytes_per_id; ++i)
    secret = secret << 8 | static_cast<unsigned char>(random_[used_ + i]);
  used_ += random_bytes_per_id;
  std::string id;
  id.reserve(2 * half);
  append_digits(id, static_cast<std::uint64_t>(unix_ms));
  append_digits(id, secret);
  return id;
}

bool is_job_id(const std::string& id) {
  return !id.empty() && id.size() <= max_id_size &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_';
         });
}

}  // namespace supervisor::jobs
