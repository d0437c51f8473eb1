// The elementary functions of kernels/cpu/math-inl.h on every vector type, against the C library in double.
#include <cfloat>
#include <cmath>
#include <limits>

#include "tests/kernels/harness.h"
#include "tests/kernels/simd_types.h"

namespace tw::test {
namespace {

// Every `step`-th f32 from `low` to `high` inclusive.
std::vector<float> sweep(float low, float high, uint32_t step) {
  std::vector<float> x;
  for (const float sign : {1.0f, -1.0f})
    for (uint32_t bits = 0; bits <= 0x7F800000u; bits += step) {
      const float v = sign * std::bit_cast<float>(bits);
      if (v >= low && v <= high) x.push_back(v);
    }
  x.push_back(low);
  x.push_back(high);
  while (x.size() % 16 != 0) x.push_back(high);
  return x;
}

struct Errors {
  double ulp = 0;       // of normal results, in units of their last place
  double relative = 0;  // of the same
  double absolute = 0;
  float at = 0;  // of the largest ulp
};

template <class Exact>
Errors errors(SimdFunctions::Unary function, int lanes, std::span<const float> x, Exact exact) {
  Errors worst;
  float y[16];
  for (size_t i = 0; i < x.size(); i += static_cast<size_t>(lanes)) {
    function(y, x.data() + i);
    for (size_t lane = 0; lane < static_cast<size_t>(lanes); ++lane) {
      const double expected = exact(static_cast<double>(x[i + lane])), got = static_cast<double>(y[lane]);
      if (std::abs(expected) >= 0x1.ffffffp127) {  // rounds to infinity
        if (!std::isinf(y[lane])) worst.ulp = std::numeric_limits<double>::infinity();
        continue;
      }
      const double error = std::isnan(got) ? std::numeric_limits<double>::infinity() : std::abs(got - expected);
      worst.absolute = std::max(worst.absolute, error);
      if (std::abs(expected) < static_cast<double>(FLT_MIN)) {
        if (error > 0x1p-149) worst.ulp = std::numeric_limits<double>::infinity();  // one subnormal step
        continue;
      }
      worst.relative = std::max(worst.relative, error / std::abs(expected));
      const double ulp = error / std::ldexp(1.0, std::ilogb(expected) - 23);
      if (ulp > worst.ulp) worst.ulp = ulp, worst.at = x[i + lane];
    }
  }
  return worst;
}

constexpr float kInf = std::numeric_limits<float>::infinity();

void check_all(uint32_t step) {
  const std::vector<float> everything = sweep(-kInf, kInf, step), up_to_88 = sweep(-kInf, 88.0f, step);
  const std::vector<float> normal_sigmoid = sweep(-87.0f, kInf, step), tiny_sigmoid = sweep(-kInf, -87.0f, step);
  const std::vector<float> powers = sweep(-125.0f, 127.5f, step);  // of two, that are normal numbers
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  for_each_vector_type([&](const SimdFunctions& simd) {
    const auto run = [&](const char* what, SimdFunctions::Unary function, std::span<const float> x, auto exact) {
      const Errors e = errors(function, simd.lanes, x, exact);
      UNSCOPED_INFO(what << ": " << e.ulp << " ulp at " << e.at << ", absolute " << e.absolute);
      return e;
    };
    const auto ulp = [&](const char* what, SimdFunctions::Unary function, std::span<const float> x, auto exact) {
      const double worst = run(what, function, x, exact).ulp;
      record_error(std::string(what) + ", in ulp", simd.name, worst);
      return worst;
    };
    CHECK(ulp("exp", simd.exp, everything, [](double x) { return std::exp(x); }) <= 1.0);
    CHECK(ulp("expm1", simd.expm1, up_to_88, [](double x) { return std::expm1(x); }) <= 1.5);
    CHECK(ulp("tanh", simd.tanh, everything, [](double x) { return std::tanh(x); }) <= 5.0);
    CHECK(ulp("sigmoid", simd.sigmoid, normal_sigmoid, sigmoid) <= 2.5);
    CHECK(run("sigmoid", simd.sigmoid, tiny_sigmoid, sigmoid).absolute <= 2e-38);  // 0 where e^-x overflows
    const auto exp2 = [](double x) { return std::exp2(x); };
    CHECK(run("2^x", simd.exp2, powers, exp2).relative <= 2e-7);
    CHECK(run("2^x, roughly", simd.exp2_roughly, powers, exp2).relative <= 3e-6);
    const auto erf = [](double x) { return std::erf(x / std::numbers::sqrt2); };
    CHECK(run("erf(x / sqrt 2)", simd.erf_over_sqrt2, everything, erf).absolute <= 4e-7);
  });
}

}  // namespace

TEST_CASE("math: elementary functions over all of f32") { check_all(4093); }
TEST_CASE("math: a finer sweep", "[slow]") { check_all(251); }

TEST_CASE("math: powers of two beyond f32 are 0 and infinity, those of whole numbers exact") {
  for_each_vector_type([](const SimdFunctions& simd) {
    const auto one = [&](SimdFunctions::Unary f, float x) {
      float in[16], out[16];
      std::fill_n(in, 16, x);
      f(out, in);
      return out[simd.lanes - 1];
    };
    for (const SimdFunctions::Unary f : {simd.exp2, simd.exp2_roughly}) {
      for (const float x : {-kInf, -1e30f, -1000.0f, -160.0f}) CHECK(one(f, x) == 0.0f);
      for (const float x : {kInf, 1e30f, 1000.0f, 128.0f}) CHECK(one(f, x) == kInf);
      for (int n = -149; n < 128; ++n) CHECK(one(f, static_cast<float>(n)) == std::ldexp(1.0f, n));
    }
  });
}

TEST_CASE("math: NaN comes out as NaN, alone among its neighbours") {
  for_each_vector_type([](const SimdFunctions& simd) {
    for (const SimdFunctions::Unary f :
         {simd.exp, simd.expm1, simd.exp2, simd.exp2_roughly, simd.sigmoid, simd.tanh, simd.erf_over_sqrt2}) {
      for (int lane = 0; lane < simd.lanes; ++lane) {
        std::vector<float> x(static_cast<size_t>(simd.lanes), 0.7f), clean(x.size()), y(x.size());
        f(clean.data(), x.data());
        x[static_cast<size_t>(lane)] = NAN;
        f(y.data(), x.data());
        for (int i = 0; i < simd.lanes; ++i) {
          const auto at = static_cast<size_t>(i);
          CHECK((i == lane ? std::isnan(y[at]) : y[at] == clean[at]));
        }
      }
    }
  });
}

}  // namespace tw::test
