// activation: every function of the reference by name, over the whole range of f32.
#include <cfloat>
#include <cmath>
#include <limits>
#include <set>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

// kernel_table.h's contract.
double bound(double expected) { return 4e-7 * std::max(1.0, std::abs(expected)); }

// What a double result is as f32: beyond its range, infinite.
double in_range(double value) {
  if (std::abs(value) >= 0x1.ffffffp127) return std::copysign(std::numeric_limits<double>::infinity(), value);
  return value;
}

Doubles expected_of(std::string_view name, std::span<const float> x) {
  Doubles y;
  y.reserve(x.size());
  for (const float v : x) y.push_back(in_range(activation(name, static_cast<double>(v))));
  return y;
}

// One name for each different function.
std::vector<std::string_view> distinct_functions() {
  std::set<Activation> seen;
  std::vector<std::string_view> names;
  for (const std::string_view name : kActivationNames)
    if (seen.insert(*activation_from_name(name)).second) names.push_back(name);
  return names;
}

std::vector<float> run(const KernelTable& table, Activation f, std::span<const float> x) {
  std::vector<float> y(x.size());
  const auto n = static_cast<int64_t>(x.size());
  table.activation({x.data(), n, y.data(), n, 1, n, f});
  return y;
}

// x and f(x) of transformers 4.37.2's ACT2FN in float64; selu: torch.nn.SELU.
constexpr double kGoldenInputs[] = {-5.0, -1.3, -0.4, 0.25, 2.7};
struct Golden {
  std::string_view name;
  double y[5];
};
constexpr Golden kGoldens[] = {
    {"gelu",
     {-1.4332578593401202e-06, -0.1258406299612934, -0.13783130335587032, 0.14967658142073093, 2.6906391707317905}},
    {"gelu_10",
     {-1.4332578593401202e-06, -0.1258406299612934, -0.13783130335587032, 0.14967658142073093, 2.6906391707317905}},
    {"gelu_fast",
     {-2.2917961972623857e-07, -0.12607098768360284, -0.13783883057285237, 0.1496753507015987, 2.6911124053603506}},
    {"gelu_new",
     {-2.2917961972623857e-07, -0.1260709876826906, -0.13783883057264382, 0.149675350701685, 2.6911124053605326}},
    {"gelu_python",
     {-1.4332578593401202e-06, -0.12584062996129347, -0.13783130335587032, 0.14967658142073093, 2.6906391707317905}},
    {"gelu_pytorch_tanh",
     {-2.2917961972623857e-07, -0.1260709876826906, -0.13783883057264382, 0.149675350701685, 2.6911124053605326}},
    {"gelu_accurate",
     {-2.2917961972623857e-07, -0.1260709876826906, -0.13783883057264382, 0.149675350701685, 2.6911124053605326}},
    {"laplace", {0.0, 5.595524044110789e-13, 4.343892589137033e-05, 0.052573090251858634, 0.9999999999991946}},
    {"leaky_relu", {-0.05, -0.013, -0.004, 0.25, 2.7}},
    {"linear", {-5.0, -1.3, -0.4, 0.25, 2.7}},
    {"mish",
     {-0.033576237730161704, -0.3073824647494959, -0.18891648239351463, 0.1695724096638176, 2.6786701114408404}},
    {"quick_gelu",
     {-0.0010070162673523693, -0.1282121066168159, -0.13443310971183445, 0.1511996499001942, 2.673007487378036}},
    {"relu", {0.0, 0.0, 0.0, 0.25, 2.7}},
    {"relu2", {0.0, 0.0, 0.0, 0.0625, 7.29}},
    {"relu6", {0.0, 0.0, 0.0, 0.25, 2.7}},
    {"sigmoid", {0.0066928509242848554, 0.2141650169574414, 0.401312339887548, 0.5621765008857981, 0.9370266439430035}},
    {"silu", {-0.03346425462142428, -0.2784145220446738, -0.1605249359550192, 0.14054412522144952, 2.52997193864611}},
    {"swish", {-0.03346425462142428, -0.2784145220446738, -0.1605249359550192, 0.14054412522144952, 2.52997193864611}},
    {"tanh", {-0.9999092042625951, -0.8617231593133063, -0.3799489622552249, 0.24491866240370913, 0.9910074536781176}},
    {"selu", {-1.7462533606696198, -1.2789613751543256, -0.5796101097553361, 0.2626752468388701, 2.8368926658597973}},
};

// Every `step`-th bit pattern of f32 below infinity, both signs.
std::vector<float> sweep(uint32_t step) {
  std::vector<float> x;
  for (uint32_t bits = 0; bits < 0x7F800000u; bits += step) {
    x.push_back(std::bit_cast<float>(bits));
    x.push_back(-x.back());
  }
  return x;
}

// The arguments where something bends, densely.
std::vector<float> dense() {
  std::vector<float> x;
  for (int i = -140000; i <= 140000; ++i) x.push_back(static_cast<float>(i) * 1e-4f);
  for (const float edge : {5.6f, 6.0f, 9.1f, 10.0f, 20.0f, 88.0f, 88.722839f, 103.97208f, 104.0f})
    for (const float direction : {-1e30f, 1e30f})
      for (const float sign : {-1.0f, 1.0f})
        for (float step = sign * edge, i = 0; i < 50; ++i, step = std::nextafter(step, direction)) x.push_back(step);
  return x;
}

void check_accuracy(std::span<const float> x) {
  for (const std::string_view name : distinct_functions()) {
    const Doubles expected = expected_of(name, x);
    for_each_table([&](const KernelTable& table) {
      const std::vector<float> y = run(table, *activation_from_name(name), x);
      const BoundReport report = check_error(y, expected, [&](size_t i) { return bound(expected[i]); });
      record_error("activation " + std::string(name), table, report.worst);
      INFO(name << "(" << x[static_cast<size_t>(std::max<int64_t>(0, report.index))] << "): " << report.describe());
      CHECK(report.ok());
    });
  }
}

}  // namespace

TEST_CASE("activation: names") {
  std::string listed;
  for (const std::string_view name : kActivationNames) {
    CAPTURE(name);
    CHECK(activation_from_name(name).has_value());
    CHECK((", " + std::string(activation_names()) + ",").find(", " + std::string(name) + ",") != std::string::npos);
    listed += std::string(name) + ", ";
  }
  CHECK(listed.size() == activation_names().size() + 2);
  for (const std::string_view name : {"", "GELU", "gelu ", "gelu_1", "quick-gelu", "softmax", "ReLU", "linear,"})
    CHECK_FALSE(activation_from_name(name).has_value());
}

TEST_CASE("activation: values of the reference implementation") {
  for (const Golden& golden : kGoldens) {
    for (size_t i = 0; i < 5; ++i) {
      CAPTURE(golden.name, kGoldenInputs[i]);
      CHECK(std::abs(activation(golden.name, kGoldenInputs[i]) - golden.y[i]) < 4e-15);
      const auto x = static_cast<float>(kGoldenInputs[i]);
      for_each_table([&](const KernelTable& table) {
        const float y = run(table, *activation_from_name(golden.name), {&x, 1})[0];
        // -1.3f is not -1.3: no slope is above 5.4 (relu2).
        const double input_error = 5.4 * std::abs(static_cast<double>(x) - kGoldenInputs[i]);
        CHECK(std::abs(static_cast<double>(y) - golden.y[i]) <= bound(golden.y[i]) + input_error);
      });
    }
  }
}

TEST_CASE("activation: every function within its bound over all of f32") {
  check_accuracy(sweep(8209));
  check_accuracy(dense());
}

TEST_CASE("activation: a finer sweep", "[slow]") { check_accuracy(sweep(1021)); }

TEST_CASE("activation: zeros, denormals, infinities, NaN") {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {0.0f,    -0.0f,    1e-45f, -1e-45f, FLT_MIN, -FLT_MIN, 1e-39f, -1e-39f,
                                FLT_MAX, -FLT_MAX, inf,    -inf,    NAN,     -NAN,     1e20f,  -1e20f};
  check_accuracy(x);
  for (const std::string_view name : distinct_functions()) {
    CAPTURE(name);
    const Activation f = *activation_from_name(name);
    for_each_table([&](const KernelTable& table) {
      // In every lane, whatever the neighbours are.
      for (size_t lane = 0; lane < 19; ++lane) {
        std::vector<float> row(19, 0.5f);
        const std::vector<float> clean = run(table, f, row);
        row[lane] = NAN;
        const std::vector<float> y = run(table, f, row);
        int64_t wrong = 0;
        for (size_t i = 0; i < 19; ++i) wrong += i == lane ? !std::isnan(y[i]) : y[i] != clean[i];
        CHECK(wrong == 0);
      }
    });
  }
}

TEST_CASE("activation: rows of every length, strided, misaligned, in place") {
  Random random(1);
  for (const std::string_view name : distinct_functions()) {
    const Activation f = *activation_from_name(name);
    for (const int64_t columns : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65}) {
      const int64_t rows = 3;
      const std::vector<float> x = random.normal_vector(rows * columns, 3.0);
      const Doubles expected = expected_of(name, x);
      CAPTURE(name, columns);
      for_each_table([&](const KernelTable& table) {
        GuardedMatrix in(rows, columns, x, layout_number(columns)), out(rows, columns, layout_number(columns + 1));
        GuardedMatrix both(rows, columns, x, layout_number(columns + 2));
        in.freeze();
        table.activation({in.data(), in.stride(), out.data(), out.stride(), rows, columns, f});
        table.activation({both.data(), both.stride(), both.data(), both.stride(), rows, columns, f});
        CHECK(out.damage() == "");
        CHECK(both.damage() == "");
        CHECK(check_error(out.values(), expected, [&](size_t i) { return bound(expected[i]); }).ok());
        CHECK(first_difference(out.values(), both.values()) == -1);
        // An element's bits do not depend on where in a row it stands.
        CHECK(first_difference(out.values(), run(table, f, x)) == -1);
      });
    }
  }
}

TEST_CASE("activation: no rows, no columns") {
  for_each_table([](const KernelTable& table) {
    GuardedMatrix x(1, 1), y(1, 1);
    x.freeze();
    table.activation({x.data(), 1, y.data(), 1, 0, 1, Activation::gelu});
    table.activation({x.data(), 1, y.data(), 1, 1, 0, Activation::gelu});
    CHECK(std::isnan(y.values()[0]));
  });
}

}  // namespace tw::test
