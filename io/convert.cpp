#include "io/convert.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tw {

static_assert(std::endian::native == std::endian::little, "checkpoint files are little-endian");

namespace {

template <class T>
T load(const std::byte* bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return value;
}

// f16_to_f32 of core/dtype.h without branches, so that the compiler can vectorise the loop around it. Subnormals go
// through an integer conversion and therefore do not depend on the denormals-are-zero flag of the calling thread.
inline float f16_without_branches(uint16_t h) {
  constexpr uint32_t kRebias = 112u << 23;  // 127 - 15
  const uint32_t sign = (h & 0x8000u) << 16;
  const uint32_t shifted = (h & 0x7FFFu) << 13;
  const uint32_t exponent = h & 0x7C00u;
  const uint32_t normal = shifted + kRebias + (exponent == 0x7C00u ? kRebias : 0u);
  const uint32_t subnormal = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(h & 0x3FFu)) * 0x1p-24f);
  // A mask, not ?:, which GCC 12 turns back into a branch.
  const uint32_t is_subnormal = 0u - static_cast<uint32_t>(exponent == 0);
  return std::bit_cast<float>(sign | (subnormal & is_subnormal) | (normal & ~is_subnormal));
}

}  // namespace

bool is_floating(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

void convert_to_f32(DType dtype, const std::byte* bytes, std::span<float> out) {
  float* to = out.data();
  const size_t n = out.size();
  if (dtype == DType::f32) {
    if (n != 0) std::memcpy(to, bytes, n * sizeof(float));
  } else if (dtype == DType::bf16) {
    for (size_t i = 0; i < n; ++i) to[i] = bf16_to_f32(load<uint16_t>(bytes, i));
  } else if (dtype == DType::f16) {
    for (size_t i = 0; i < n; ++i) to[i] = f16_without_branches(load<uint16_t>(bytes, i));
  } else if (dtype == DType::f64) {
    for (size_t i = 0; i < n; ++i) to[i] = static_cast<float>(load<double>(bytes, i));
  }
}

int64_t first_non_finite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7F800000u;
  const auto non_finite = [](float f) { return (std::bit_cast<uint32_t>(f) & kExponent) == kExponent; };
  constexpr size_t kBlock = 4096;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const std::span<const float> block = values.subspan(begin, std::min(kBlock, values.size() - begin));
    uint32_t any = 0;
    for (const float f : block) any |= static_cast<uint32_t>(non_finite(f));
    if (any == 0) continue;
    for (size_t i = 0; i < block.size(); ++i)
      if (non_finite(block[i])) return static_cast<int64_t>(begin + i);
  }
  return -1;
}

}  // namespace tw
