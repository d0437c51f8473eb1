// The vector types themselves, each against scalar arithmetic: lanes, tails, NaN, folding order, conversion,
// transposition. Their elementary functions: test_math.cpp.
#include <cfloat>
#include <cmath>
#include <limits>

#include "core/dtype.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/simd_types.h"

namespace tw::test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Numbers of every kind, in random order: each lane meets each.
std::vector<float> mixed(int64_t count, Random& random) {
  constexpr float kSpecial[] = {0.0f,   -0.0f,   1.0f,    -1.5f,      0.5f,       2.5f,       -3.5f,
                                1e-45f, -1e-39f, FLT_MIN, 1e30f,      -2e38f,     FLT_MAX,    -FLT_MAX,
                                kInf,   -kInf,   NAN,     8388609.0f, 4194304.5f, 16777216.0f};
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values)
    v = random.chance(0.5) ? kSpecial[random.integer(0, std::ssize(kSpecial) - 1)]
                           : static_cast<float>(random.heavy_tailed());
  return values;
}

constexpr int kRepeats = 2000;

template <class Expected>
void check_unary(const SimdFunctions& simd, SimdFunctions::Unary function, Expected expected) {
  Random random(1);
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const std::vector<float> a = mixed(simd.lanes, random);
    std::vector<float> y(a.size()), wanted;
    function(y.data(), a.data());
    for (const float v : a) wanted.push_back(expected(v));
    if (first_difference(y, wanted) != -1) FAIL_CHECK("lane " << first_difference(y, wanted));
  }
}

template <class Expected>
void check_binary(const SimdFunctions& simd, SimdFunctions::Binary function, Expected expected) {
  Random random(2);
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const std::vector<float> a = mixed(simd.lanes, random), b = mixed(simd.lanes, random);
    std::vector<float> y(a.size()), wanted;
    function(y.data(), a.data(), b.data());
    for (size_t i = 0; i < a.size(); ++i) wanted.push_back(expected(a[i], b[i]));
    const int64_t lane = first_difference(y, wanted);
    if (lane != -1) FAIL_CHECK("f(" << a[static_cast<size_t>(lane)] << ", " << b[static_cast<size_t>(lane)] << ")");
  }
}

template <class Expected>
void check_ternary(const SimdFunctions& simd, SimdFunctions::Ternary function, Expected expected) {
  Random random(3);
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const std::vector<float> a = mixed(simd.lanes, random), b = mixed(simd.lanes, random),
                             c = mixed(simd.lanes, random);
    std::vector<float> y(a.size()), wanted;
    function(y.data(), a.data(), b.data(), c.data());
    for (size_t i = 0; i < a.size(); ++i) wanted.push_back(expected(a[i], b[i], c[i]));
    CHECK(first_difference(y, wanted) == -1);
  }
}

// How many lanes a tail can have: a one-lane vector has no tails.
int first_tail(const SimdFunctions& simd) { return simd.lanes == 1 ? 1 : 0; }

}  // namespace

TEST_CASE("simd: tails touch what they name and nothing else") {
  for_each_vector_type([](const SimdFunctions& simd) {
    Random random(4);
    for (int count = first_tail(simd); count <= simd.lanes; ++count) {
      for (const Edge edge : {Edge::begin, Edge::end}) {
        for (const int64_t offset : {0, 1, 5}) {
          const std::vector<float> a = random.normal_vector(simd.lanes);
          const Guarded<float> in = guarded_input(std::span(a).first(static_cast<size_t>(count)), {edge, offset, 0});
          std::vector<float> loaded(a.size(), 1.0f), wanted = a;
          std::fill(wanted.begin() + count, wanted.end(), 0.0f);
          simd.load_first(loaded.data(), in.data(), count);
          CAPTURE(count, offset);
          CHECK(first_difference(loaded, wanted) == -1);

          Guarded<float> out(count, edge, offset);
          simd.store_first(out.data(), a.data(), count);
          CHECK(first_difference(out.span(), std::span(a).first(static_cast<size_t>(count))) == -1);
          CHECK(out.surroundings_intact());
        }
      }
    }
  });
}

TEST_CASE("simd: whole vectors at any address") {
  for_each_vector_type([](const SimdFunctions& simd) {
    Random random(5);
    for (int64_t offset = 0; offset < 16; ++offset) {
      const std::vector<float> a = random.normal_vector(simd.lanes);
      const Guarded<float> in = guarded_input(a, {Edge::end, offset, 0});
      Guarded<float> out(simd.lanes, Edge::begin, offset);
      simd.copy(out.data(), in.data());
      CHECK(first_difference(out.span(), a) == -1);
      CHECK(out.surroundings_intact());
      simd.broadcast(out.data(), a[0]);
      CHECK(first_difference(out.span(), std::vector<float>(a.size(), a[0])) == -1);
      CHECK(out.surroundings_intact());
    }
  });
}

TEST_CASE("simd: arithmetic has the bits of scalar arithmetic") {
  for_each_vector_type([](const SimdFunctions& simd) {
    check_binary(simd, simd.add, [](float a, float b) { return a + b; });
    check_binary(simd, simd.subtract, [](float a, float b) { return a - b; });
    check_binary(simd, simd.multiply, [](float a, float b) { return a * b; });
    check_binary(simd, simd.divide, [](float a, float b) { return a / b; });
    check_binary(simd, simd.copy_sign, [](float a, float b) { return std::copysign(a, b); });
    check_ternary(simd, simd.fma, [](float a, float b, float c) { return std::fma(a, b, c); });
    check_ternary(simd, simd.fnma, [](float a, float b, float c) { return std::fma(-a, b, c); });
    check_unary(simd, simd.abs, [](float a) { return std::fabs(a); });
    check_unary(simd, simd.round, [](float a) { return std::nearbyint(a); });  // ties to even
  });
}

TEST_CASE("simd: max and min give the second operand when either is NaN, and when both are equal") {
  for_each_vector_type([](const SimdFunctions& simd) {
    check_binary(simd, simd.max, [](float a, float b) { return a > b ? a : b; });
    check_binary(simd, simd.min, [](float a, float b) { return a < b ? a : b; });
  });
}

TEST_CASE("simd: comparison and selection, lane by lane") {
  for_each_vector_type([](const SimdFunctions& simd) {
    Random random(6);
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      const std::vector<float> a = mixed(simd.lanes, random), b = mixed(simd.lanes, random);
      const std::vector<float> yes = mixed(simd.lanes, random), no = mixed(simd.lanes, random);
      std::vector<float> y(a.size()), wanted(a.size());
      for (size_t i = 0; i < a.size(); ++i) wanted[i] = a[i] < b[i] ? yes[i] : no[i];
      simd.select_less(y.data(), a.data(), b.data(), yes.data(), no.data());
      CHECK(first_difference(y, wanted) == -1);
      for (int count = first_tail(simd); count <= simd.lanes; ++count) {
        for (size_t i = 0; i < a.size(); ++i) wanted[i] = static_cast<int>(i) < count ? yes[i] : no[i];
        simd.select_first(y.data(), count, yes.data(), no.data());
        if (first_difference(y, wanted) != -1) FAIL_CHECK("count " << count);
      }
    }
  });
}

TEST_CASE("simd: scaling by powers of two, down to gradual underflow; what a power leaves behind the whole number") {
  for_each_vector_type([](const SimdFunctions& simd) {
    Random random(7);
    const auto lanes = static_cast<size_t>(simd.lanes);
    for (int power = -160; power <= 130; ++power) {
      std::vector<float> a(lanes), x(lanes), y(lanes), wanted(lanes), rest(lanes);
      for (size_t i = 0; i < lanes; ++i) {
        a[i] = static_cast<float>(random.uniform(0.7, 1.42));
        const int whole = std::min(130, power + static_cast<int>(i));
        x[i] = static_cast<float>(whole) + (i % 2 == 0 ? 0.0f : static_cast<float>(random.uniform(0, 0.99)));
        wanted[i] = std::ldexp(a[i], whole);
        rest[i] = x[i] - static_cast<float>(whole);
      }
      CAPTURE(power);
      simd.scale(y.data(), a.data(), x.data());
      CHECK(first_difference(y, wanted) == -1);
      if (power < -152 || power + simd.lanes > 129) continue;  // where a power is as good as infinite
      simd.rest_of_power(y.data(), x.data());
      for (float& v : y) v += 0.0f;  // what is left of a whole number may be -0
      CHECK(first_difference(y, rest) == -1);
    }
  });
}

TEST_CASE("simd: reciprocals within an ulp") {
  for_each_vector_type([](const SimdFunctions& simd) {
    Random random(9);
    std::vector<float> a(static_cast<size_t>(simd.lanes)), y(a.size());
    for (int exponent = 0; exponent < 126; ++exponent) {
      for (int repeat = 0; repeat < 100; ++repeat) {
        for (float& v : a) v = std::ldexp(static_cast<float>(random.uniform(1, 2)), exponent);
        if (repeat == 0) a[0] = std::ldexp(1.0f, exponent + 1);
        simd.reciprocal(y.data(), a.data());
        for (size_t i = 0; i < a.size(); ++i) {
          const double exact = 1 / static_cast<double>(a[i]);
          if (!(std::abs(static_cast<double>(y[i]) - exact) <= 0x1p-23 * exact)) FAIL_CHECK(a[i] << " " << y[i]);
        }
      }
    }
    for (float& v : a) v = kInf;
    simd.reciprocal(y.data(), a.data());
    CHECK(std::ranges::all_of(y, [](float v) { return v == 0.0f; }));
    for (float& v : a) v = NAN;
    simd.reciprocal(y.data(), a.data());
    CHECK(std::ranges::all_of(y, [](float v) { return std::isnan(v); }));
  });
}

TEST_CASE("simd: sums fold halves onto each other; the largest lane is found wherever it is") {
  for_each_vector_type([](const SimdFunctions& simd) {
    Random random(8);
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      const std::vector<float> a = random.heavy_tailed_vector(simd.lanes);
      std::vector<float> folded = a;
      for (size_t half = folded.size() / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; ++i) folded[i] += folded[i + half];
      CHECK(simd.sum(a.data()) == folded[0]);
      CHECK(simd.max_lane(a.data()) == *std::ranges::max_element(a));
    }
    for (int lane = 0; lane < simd.lanes; ++lane) {
      std::vector<float> a(static_cast<size_t>(simd.lanes), -kInf);
      a[static_cast<size_t>(lane)] = -FLT_MAX;
      CHECK(simd.max_lane(a.data()) == -FLT_MAX);
    }
  });
}

TEST_CASE("simd: element types, every pattern in every lane") {
  for_each_vector_type([](const SimdFunctions& simd) {
    const auto lanes = static_cast<size_t>(simd.lanes);
    std::vector<uint16_t> bits(lanes), rounded(lanes);
    std::vector<float> y(lanes), wanted(lanes);
    for (uint32_t first = 0; first < 65536; ++first) {
      for (size_t i = 0; i < lanes; ++i) bits[i] = static_cast<uint16_t>(first + i * 4099);
      for (size_t i = 0; i < lanes; ++i) wanted[i] = f16_to_f32(bits[i]);
      simd.load_f16(y.data(), bits.data());
      bool same = first_difference(y, wanted) == -1;
      for (size_t i = 0; i < lanes; ++i) wanted[i] = bf16_to_f32(bits[i]);
      simd.load_bf16(y.data(), bits.data());
      same = same && first_difference(y, wanted) == -1;
      for (size_t i = 0; i < lanes; ++i)
        y[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(wanted[i]) | (first * 40503u & 0xFFFFu));
      simd.store_bf16(rounded.data(), y.data());
      for (size_t i = 0; i < lanes; ++i) same = same && rounded[i] == f32_to_bf16(y[i]);
      if (!same) FAIL_CHECK("patterns from " << first);
    }
  });
}

TEST_CASE("simd: transposition reads the rows and columns it is given and fills the rest with zeros") {
  for_each_vector_type([](const SimdFunctions& simd) {
    Random random(9);
    for (int rows = 1; rows <= 16; ++rows) {
      for (int columns = 1; columns <= 16; ++columns) {
        GuardedMatrix in(rows, columns, random.normal_vector(rows * columns), layout_number(rows + columns));
        in.freeze();
        Guarded<float> out(columns * 16);
        simd.transpose_16x16(out.data(), in.data(), in.stride(), rows, columns);
        int64_t wrong = 0;
        for (int c = 0; c < columns; ++c)
          for (int r = 0; r < 16; ++r) wrong += out.data()[c * 16 + r] != (r < rows ? in.row(r)[c] : 0.0f);
        CAPTURE(rows, columns);
        CHECK(wrong == 0);
        CHECK(out.surroundings_intact());
      }
    }
  });
}

}  // namespace tw::test
