// What content is known by: XXH3-128 (xxHash specification 0.1.1), as fast as memory. It tells apart what differs by
// accident; it is no defence against whoever constructs two files with one hash.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tuwen_cli {

// Most significant byte first, the canonical form.
using ContentHash = std::array<uint8_t, 16>;

// Of bytes that come in parts.
class ContentHasher {
 public:
  ContentHasher();
  ~ContentHasher();
  ContentHasher(const ContentHasher&) = delete;
  ContentHasher& operator=(const ContentHasher&) = delete;

  void add(std::string_view bytes);
  // A part that has a length of its own, so that parts cannot run into each other.
  void add_part(std::string_view bytes);
  ContentHash finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

ContentHash content_hash(std::string_view bytes);

// 32 lower-case hexadecimal digits.
std::string hex(const ContentHash& hash);

// For unordered containers.
struct ContentHashKey {
  size_t operator()(const ContentHash& hash) const {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(hash.data()), hash.size()});
  }
};

}  // namespace tuwen_cli
