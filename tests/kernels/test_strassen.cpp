// Products by Strassen's algorithm as operations: near the plain product, whoever shares them and however many items
// there are.
#include "core/buffer.h"
#include "kernels/ops.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/members.h"

namespace tw::test {
namespace {

// A Linear whose weights are packed for it.
Linear in_strassen_form(Linear plain) {
  plain.strassen = PackedStrassen(plain.weights);
  plain.weights.release();
  return plain;
}

// y of `items` items, computed by a team.
std::vector<float> product(const KernelTable& table, const Linear& w, Output& x, std::span<const float> old,
                           int64_t items, int members, bool add) {
  const int64_t rows = x.tensor.rows / items, n = 2 * w.strassen.half_columns();
  Output y = add ? Output(x.tensor.rows, n, old) : Output(x.tensor.rows, n);
  const int64_t floats = strassen_sums_floats(items, rows, x.tensor.columns);
  Buffer sums(floats * size_of(DType::f32), "sums");
  std::fill_n(sums.as<float>(), floats, NAN);
  on_members(table, members, kStrassenScratch, [&](Exec& ex) {
    ex.strassen_sums = sums.as<float>();
    add ? linear(ex, y.tensor, x.tensor, w.of_items(rows), Epilogue::add_to_output)
        : linear(ex, y.tensor, x.tensor, w.of_items(rows), Activation::quick_gelu);
  });
  CHECK(y.memory.damage() == "");
  return y.memory.values();
}

}  // namespace

TEST_CASE("strassen: any team and any batch give an item the same bits, near those of the plain product") {
  Random random(5);
  struct Shape {
    int64_t rows, n, k;
  };
  // Odd and even rows, more pairs than a kernel takes, several ranges of columns, some of them narrow.
  for (const Shape s : {Shape{1, 32, 32}, {7, 96, 64}, {64, 160, 96}, {335, 64, 32}, {49, 1056, 32}}) {
    CAPTURE(s.rows, s.n, s.k);
    const int64_t items = s.rows < 100 ? 12 : 2;
    const double deviation = 1 / std::sqrt(static_cast<double>(s.k));
    const Linear plain = make_linear(s.n, s.k, true, random, deviation);
    Linear copy = make_linear(s.n, s.k, true, random, deviation);
    copy.bias = Buffer(plain.bias.size(), "bias");
    std::ranges::copy(std::span(plain.bias.as<float>(), static_cast<size_t>(s.n)), copy.bias.as<float>());
    std::ranges::copy(std::span(plain.weights.f32_strip_at(0), static_cast<size_t>(plain.weights.bytes() / 4)),
                      const_cast<float*>(copy.weights.f32_strip_at(0)));
    const Linear w = in_strassen_form(std::move(copy));
    Output x(items * s.rows, s.k, random.normal_vector(items * s.rows * s.k));
    x.memory.freeze();
    const std::vector<float> old = random.normal_vector(items * s.rows * s.n);
    for_each_table([&](const KernelTable& table) {
      for (const bool add : {false, true}) {
        const std::vector<float> wanted = product(table, w, x, old, items, 1, add);
        for (const int members : kTeams)
          CHECK(first_difference(product(table, w, x, old, items, members, add), wanted) == -1);
        // The last item alone.
        const auto each = static_cast<size_t>(s.rows * s.n);
        const std::vector<float> inputs = x.memory.values();
        Output last(s.rows, s.k, std::span(inputs).last(static_cast<size_t>(s.rows * s.k)));
        const std::vector<float> alone = product(table, w, last, std::span(old).last(each), 1, 2, add);
        CHECK(first_difference(alone, std::span(wanted).last(each)) == -1);

        Output y = add ? Output(x.tensor.rows, s.n, old) : Output(x.tensor.rows, s.n);
        on_members(table, 1, 0, [&](Exec& ex) {
          add ? linear(ex, y.tensor, x.tensor, plain, Epilogue::add_to_output)
              : linear(ex, y.tensor, x.tensor, plain, Activation::quick_gelu);
        });
        const std::vector<float> near = y.memory.values();
        double worst = 0;
        for (size_t i = 0; i < near.size(); ++i)
          worst = std::max(worst, static_cast<double>(std::abs(near[i] - wanted[i])));
        CHECK(worst > 0);
        CHECK(worst < 1e-5);
        record_error("strassen against the plain product, of 1e-5", table, worst / 1e-5);
      }
    });
  }
}

TEST_CASE("strassen: the factors of a weight matrix, each where its kernel looks for it") {
  Random random(6);
  const int64_t n = 96, k = 64;
  const std::vector<float> w = random.normal_vector(n * k);
  PackedMatrix plain(n, k, DType::f32, "test");
  plain.set_rows(0, n, w.data());
  const PackedStrassen packed(plain);
  CHECK(packed.half_columns() == n / 2);
  CHECK(packed.depth() == k / 2);
  CHECK(packed.bytes() == PackedStrassen::bytes_for(n, k));
  CHECK(packed.bytes() * 4 == plain.bytes() * 7);
  int64_t wrong = 0;
  for (int64_t column = 0; column < n / 2; ++column) {
    for (int64_t i = 0; i < k / 2; ++i) {
      // B is the transpose of w: its first index is k.
      const auto b = [&](int64_t lower, int64_t right) {
        return static_cast<double>(w[static_cast<size_t>((column + right * n / 2) * k + i + lower * k / 2)]);
      };
      const double factors[] = {b(0, 0) + b(1, 1), b(0, 0),           b(0, 1) - b(1, 1), b(1, 0) - b(0, 0),
                                b(1, 1),           b(0, 0) + b(0, 1), b(1, 0) + b(1, 1)};
      for (int64_t m = 0; m < kStrassenProducts; ++m) {
        const float* strip = packed.strip_at(column / kStrip * kStrip) + m * packed.apart();
        wrong += strip[i * kStrip + column % kStrip] != static_cast<float>(factors[m]);
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("strassen: the rule is one in shapes alone") {
  CHECK(suits_strassen(257, 4096, 1024));
  CHECK(suits_strassen(257, 1280, 5120));
  CHECK_FALSE(suits_strassen(50, 4096, 1024));
  CHECK_FALSE(suits_strassen(257, 512, 4096));
  CHECK_FALSE(suits_strassen(257, 4096, 512));
  CHECK_FALSE(suits_strassen(257, 4096 + 16, 1024));
  CHECK_FALSE(suits_strassen(257, 4096, 1024 + 16));
}

}  // namespace tw::test
