// Pixels that scripts/make_image_goldens.py computes alike.
#pragma once

#include <cstdint>
#include <vector>

namespace tw::test {

inline std::vector<uint8_t> noise(int64_t count) {
  std::vector<uint8_t> bytes;
  bytes.reserve(static_cast<size_t>(count));
  for (uint32_t i = 0; i < static_cast<uint32_t>(count); ++i) {
    uint32_t v = i * 2654435761u + 12345u;
    v ^= v >> 15;
    v *= 2246822519u;
    bytes.push_back(static_cast<uint8_t>(v >> 24));
  }
  return bytes;
}

}  // namespace tw::test
