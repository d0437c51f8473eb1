// Element types and the exact conversions between them.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace tw {

enum class DType { f32, f16, bf16, f64, i64, i32, i16, i8, u8, boolean, e4m3 };

constexpr int64_t size_of(DType t) {
  switch (t) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
    case DType::e4m3:
      return 1;
  }
  return 0;
}

constexpr std::string_view name(DType t) {
  switch (t) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::f64:
      return "f64";
    case DType::i64:
      return "i64";
    case DType::i32:
      return "i32";
    case DType::i16:
      return "i16";
    case DType::i8:
      return "i8";
    case DType::u8:
      return "u8";
    case DType::boolean:
      return "bool";
    case DType::e4m3:
      return "e4m3";
  }
  return "?";
}

// bfloat16 is the upper half of an f32.
constexpr float bf16_to_f32(uint16_t h) { return std::bit_cast<float>(static_cast<uint32_t>(h) << 16); }

// Rounds to nearest, ties to even; a NaN stays a NaN.
constexpr uint16_t f32_to_bf16(float f) {
  const uint32_t u = std::bit_cast<uint32_t>(f);
  if ((u & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((u >> 16) | 0x40u);
  return static_cast<uint16_t>((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
}

// IEEE 754 binary16, subnormals, infinities and NaNs included; a NaN comes out quiet, as from the CPU's instruction.
constexpr float f16_to_f32(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 0x1Fu;
  const uint32_t mantissa = h & 0x3FFu;
  if (exponent == 0x1F) {
    const uint32_t quiet = mantissa == 0 ? 0 : 0x00400000u;
    return std::bit_cast<float>(sign | 0x7F800000u | quiet | (mantissa << 13));
  }
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // exact
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

// Rounds to nearest, ties to even, to infinity beyond 65519; a NaN stays a NaN.
constexpr uint16_t f32_to_f16(float f) {
  const uint32_t u = std::bit_cast<uint32_t>(f), magnitude = u & 0x7FFFFFFFu;
  const auto sign = static_cast<uint16_t>(u >> 16 & 0x8000u);
  if (magnitude > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u | (magnitude >> 13 & 0x1FFu));
  if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);
  if (magnitude < 0x38800000u) {  // below 2^-14: in steps of 2^-24, which the sum's last bit is
    const float steps = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(steps) - 0x3F000000u));
  }
  return static_cast<uint16_t>(sign | ((magnitude + 0xFFFu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13));
}

// FP8 E4M3 (Micikevicius et al. 2022, arXiv:2209.05433): up to 448, no infinities, one NaN a sign, steps of 2^-9 below
// 2^-6.
constexpr float kLargestE4m3 = 448.0f;
constexpr float e4m3_to_f32(uint8_t b) {
  const uint32_t sign = static_cast<uint32_t>(b & 0x80u) << 24, exponent = b >> 3 & 0xFu, mantissa = b & 7u;
  if ((b & 0x7Fu) == 0x7Fu) return std::bit_cast<float>(sign | 0x7FC00000u);
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 120) << 23) | (mantissa << 20));
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(mantissa) * 0x1p-9f));
}

// Rounds to nearest, ties to even; what is larger than 448, infinity too, becomes 448; a NaN stays a NaN.
constexpr uint8_t f32_to_e4m3(float f) {
  const uint32_t u = std::bit_cast<uint32_t>(f), magnitude = u & 0x7FFFFFFFu;
  const auto sign = static_cast<uint8_t>(u >> 24 & 0x80u);
  if (magnitude > 0x7F800000u) return static_cast<uint8_t>(sign | 0x7Fu);
  if (magnitude >= 0x43E00000u) return static_cast<uint8_t>(sign | 0x7Eu);
  if (magnitude < 0x3C800000u) {                                    // below 2^-6
    const float steps = std::bit_cast<float>(magnitude) + 0x1p14f;  // of 2^-9
    return static_cast<uint8_t>(sign | (std::bit_cast<uint32_t>(steps) - 0x46800000u));
  }
  return static_cast<uint8_t>(sign | ((magnitude + 0x7FFFFu + (magnitude >> 20 & 1u) - 0x3C000000u) >> 20));
}

}  // namespace tw
