#include "cli/content_hash.h"

#define XXH_INLINE_ALL  // compiled in: no library to carry along
#include <xxhash.h>

#include <cstring>

namespace tuwen_cli {
namespace {

ContentHash canonical(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  ContentHash result;
  static_assert(sizeof bytes.digest == sizeof result);
  std::memcpy(result.data(), bytes.digest, sizeof result);
  return result;
}

}  // namespace

struct ContentHasher::State {
  XXH3_state_t xxh;
};

ContentHasher::ContentHasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }

ContentHasher::~ContentHasher() = default;

void ContentHasher::add(std::string_view bytes) { XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size()); }

void ContentHasher::add_part(std::string_view bytes) {
  const uint64_t size = bytes.size();
  add({reinterpret_cast<const char*>(&size), sizeof size});
  add(bytes);
}

ContentHash ContentHasher::finish() const { return canonical(XXH3_128bits_digest(&state_->xxh)); }

ContentHash content_hash(std::string_view bytes) { return canonical(XXH3_128bits(bytes.data(), bytes.size())); }

std::string hex(const ContentHash& hash) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : hash) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace tuwen_cli
