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

TEST_CASE("binary16 rounds to nearest even and keeps what it can hold") {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const auto bits = static_cast<uint16_t>(h);
    const float f = tw::f16_to_f32(bits);
    if (std::isnan(f)) {
      if (!std::isnan(tw::f16_to_f32(tw::f32_to_f16(f)))) FAIL("f16 " << h << " was a NaN");
      continue;
    }
    if (tw::f32_to_f16(f) != h) FAIL("f16 " << h << " does not survive");
    if ((h & 0x7FFF) >= 0x7BFF) continue;
    // Between neighbours: below the middle down, above it up, the middle to the even one.
    const float next = tw::f16_to_f32(static_cast<uint16_t>(h + 1)), middle = f / 2 + next / 2;
    const uint32_t even = h % 2 == 0 ? h : h + 1;
    if (tw::f32_to_f16(middle) != even || tw::f32_to_f16(std::nextafter(middle, f)) != h ||
        tw::f32_to_f16(std::nextafter(middle, next)) != h + 1)
      FAIL("around the middle above f16 " << h);
  }
  CHECK(tw::f32_to_f16(65519.996f) == 0x7BFF);
  CHECK(tw::f32_to_f16(65520.0f) == 0x7C00);
  CHECK(tw::f32_to_f16(-HUGE_VALF) == 0xFC00);
}

TEST_CASE("E4M3 rounds to nearest even, ends at 448 and has one NaN a sign") {
  CHECK(tw::e4m3_to_f32(0x7E) == 448.0f);
  CHECK(tw::e4m3_to_f32(0x38) == 1.0f);
  CHECK(tw::e4m3_to_f32(0x01) == 0x1p-9f);
  CHECK(tw::e4m3_to_f32(0x88) == -0x1p-6f);
  for (uint32_t b = 0; b < 0x100; ++b) {
    const float f = tw::e4m3_to_f32(static_cast<uint8_t>(b));
    CAPTURE(b);
    if ((b & 0x7F) == 0x7F) {
      CHECK(std::isnan(f));
      CHECK(tw::f32_to_e4m3(f) == b);
      continue;
    }
    CHECK(tw::f32_to_e4m3(f) == b);
    if ((b & 0x7F) == 0x7E) continue;
    const float next = tw::e4m3_to_f32(static_cast<uint8_t>(b + 1)), middle = f / 2 + next / 2;
    CHECK(tw::f32_to_e4m3(middle) == (b % 2 == 0 ? b : b + 1));
    CHECK(tw::f32_to_e4m3(std::nextafter(middle, f)) == b);
    CHECK(tw::f32_to_e4m3(std::nextafter(middle, next)) == b + 1);
  }
  for (const float large : {449.0f, 1e30f, HUGE_VALF}) {
    CHECK(tw::f32_to_e4m3(large) == 0x7E);
    CHECK(tw::f32_to_e4m3(-large) == 0xFE);
  }
}
