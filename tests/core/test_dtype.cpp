#include "core/dtype.h"

#include <catch2/catch.hpp>
#include <cmath>

TEST_CASE("binary16 converts exactly") {
  CHECK(tw::f16_to_f32(0x3C00) == 1.0f);
  CHECK(tw::f16_to_f32(0xC000) == -2.0f);
  CHECK(tw::f16_to_f32(0x7BFF) == 65504.0f);
  CHECK(tw::f16_to_f32(0x0001) == 0x1p-24f);
  CHECK(tw::f16_to_f32(0x83FF) == -1023 * 0x1p-24f);
  CHECK(std::signbit(tw::f16_to_f32(0x8000)));
  CHECK(std::isinf(tw::f16_to_f32(0x7C00)));
  CHECK(std::isnan(tw::f16_to_f32(0x7E00)));
}

TEST_CASE("bfloat16 rounds to nearest even and keeps what it can hold") {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float f = tw::bf16_to_f32(static_cast<uint16_t>(h));
    if (std::isnan(f)) {
      CHECK(std::isnan(tw::bf16_to_f32(tw::f32_to_bf16(f))));
    } else if (tw::f32_to_bf16(f) != h) {
      FAIL("bf16 " << h << " does not survive");
    }
  }
  CHECK(tw::f32_to_bf16(1.00390625f) == 0x3F80);  // a tie goes to even
  CHECK(tw::f32_to_bf16(1.01171875f) == 0x3F82);
}
