// Conversion of element types: exact widening, rounding to nearest even, every pattern.
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

using Kernel = void (*KernelTable::*)(const ConvertArgs&);

// binary16 by its definition (IEEE 754-2019, section 3.4): sign, exponent e, fraction f.
double f16_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = bits >> 15 != 0 ? -1.0 : 1.0;
  if (exponent == 31) return fraction != 0 ? NAN : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

// bfloat16: the same with 8 exponent and 7 fraction bits.
double bf16_value(uint16_t bits) {
  const int exponent = bits >> 7 & 255, fraction = bits & 127;
  const double sign = bits >> 15 != 0 ? -1.0 : 1.0;
  if (exponent == 255) return fraction != 0 ? NAN : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, -133);
  return sign * std::ldexp(128 + fraction, exponent - 134);
}

template <class To, class From>
std::vector<To> run(const KernelTable& table, Kernel kernel, std::span<const From> from, Edge edge = Edge::end,
                    int64_t offset = 0) {
  const auto count = static_cast<int64_t>(from.size());
  Guarded<From> in(count, from, edge, offset);
  Guarded<To> out(count, edge, offset);
  in.freeze();
  (table.*kernel)({in.data(), out.data(), count});
  CHECK(out.surroundings_intact());
  return {out.span().begin(), out.span().end()};
}

std::vector<uint16_t> every_pattern() {
  std::vector<uint16_t> patterns(65536);
  std::iota(patterns.begin(), patterns.end(), uint16_t{0});
  return patterns;
}

template <class Value>
void check_widening(Kernel kernel, Value value) {
  const std::vector<uint16_t> patterns = every_pattern();
  for_each_table([&](const KernelTable& table) {
    const std::vector<float> got = run<float, uint16_t>(table, kernel, patterns);
    int64_t wrong = 0;
    for (size_t i = 0; i < patterns.size(); ++i) {
      const double expected = value(patterns[i]), y = static_cast<double>(got[i]);
      wrong += std::isnan(expected) ? !std::isnan(y) : y != expected || std::signbit(y) != std::signbit(expected);
    }
    CHECK(wrong == 0);
    // At every length and alignment, and the same bits (NaN payloads too) wherever an element stands.
    for (int64_t count = 0; count <= 40; ++count) {
      for (const int64_t offset : {0, 1, 7}) {
        const auto some = std::span(patterns).subspan(0x7BF0, static_cast<size_t>(count));  // into the NaNs
        const std::vector<float> y =
            run<float, uint16_t>(table, kernel, some, count % 2 != 0 ? Edge::end : Edge::begin, offset);
        for (size_t i = 0; i < y.size(); ++i)
          CHECK(std::bit_cast<uint32_t>(y[i]) == std::bit_cast<uint32_t>(got[0x7BF0 + i]));
      }
    }
  });
}

// The bfloat16 nearest to f, the one with an even fraction where two are equally near; infinity from halfway between
// the largest finite value and the next power of two on.
uint16_t nearest_bf16(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  const auto below = static_cast<uint16_t>(bits >> 16);  // towards zero
  const auto above = static_cast<uint16_t>(below + 1);
  if (std::isinf(f)) return below;
  const double value = static_cast<double>(f), low = bf16_value(below);
  const double high = (above & 0x7FFF) == 0x7F80 ? std::copysign(0x1p128, value) : bf16_value(above);
  const double to_low = std::abs(value - low), to_high = std::abs(high - value);
  if (to_low != to_high) return to_low < to_high ? below : above;
  return below % 2 == 0 ? below : above;
}

void check_rounding(std::span<const float> x) {
  for_each_table([&](const KernelTable& table) {
    std::vector<uint16_t> y(x.size());
    table.f32_to_bf16({x.data(), y.data(), static_cast<int64_t>(x.size())});
    int64_t wrong = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const bool right = std::isnan(x[i]) ? std::isnan(bf16_value(y[i])) && (y[i] >> 15 != 0) == std::signbit(x[i])
                                          : y[i] == nearest_bf16(x[i]);
      wrong += !right;
    }
    CHECK(wrong == 0);
  });
}

}  // namespace

TEST_CASE("convert: every binary16 pattern") { check_widening(&KernelTable::f16_to_f32, f16_value); }
TEST_CASE("convert: every bfloat16 pattern") { check_widening(&KernelTable::bf16_to_f32, bf16_value); }

TEST_CASE("convert: f32 to bfloat16 over the whole range") {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 2053)
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  check_rounding(x);
}

TEST_CASE("convert: f32 to bfloat16 at and around every tie") {
  std::vector<float> x;
  for (uint32_t upper = 0; upper < 65536; ++upper)
    for (const uint32_t lower : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
      x.push_back(std::bit_cast<float>(upper << 16 | lower));
  check_rounding(x);
}

TEST_CASE("convert: there and back, and every length") {
  Random random(1);
  for_each_table([&](const KernelTable& table) {
    const std::vector<uint16_t> patterns = every_pattern();
    const std::vector<float> wide = run<float, uint16_t>(table, &KernelTable::bf16_to_f32, patterns);
    const std::vector<uint16_t> back = run<uint16_t, float>(table, &KernelTable::f32_to_bf16, wide);
    int64_t wrong = 0;
    for (size_t i = 0; i < back.size(); ++i) wrong += !std::isnan(wide[i]) && back[i] != patterns[i];
    CHECK(wrong == 0);
    for (int64_t count = 0; count <= 40; ++count) {
      const std::vector<float> x = random.normal_vector(count);
      for (const int64_t offset : {0, 1, 5}) {
        const std::vector<uint16_t> y =
            run<uint16_t, float>(table, &KernelTable::f32_to_bf16, x, count % 2 != 0 ? Edge::end : Edge::begin, offset);
        for (size_t i = 0; i < y.size(); ++i) CHECK(y[i] == nearest_bf16(x[i]));
      }
    }
  });
}

}  // namespace tw::test
