// Products by Strassen's algorithm, with the sums of x that they start from. GFLOP/s are those of the plain product, so
// that both can be held against each other; 8/7 of the peak is the limit.
#include <algorithm>
#include <memory>
#include <string>

#include "bench/kernel_case.h"
#include "kernels/ops.h"

namespace tw::bench {
namespace {

Case strassen_case(int64_t m, int64_t n, int64_t k) {
  const int64_t pairs = ceil_div(m, int64_t{2}), depth = k / 2, stride = activation_stride(depth, DType::f32);
  const int64_t x_stride = activation_stride(k, DType::f32);
  struct Data {
    Values x, y, bias;
    PackedStrassen w;
    Buffer sums, scratch;
  };
  auto d = std::make_shared<Data>();
  d->x = random_values(m * x_stride);
  d->y.resize(static_cast<size_t>(m * n));
  d->bias = random_values(n);
  PackedMatrix plain(n, k, DType::f32, "benchmark");
  plain.set_rows(0, n, random_weights(n, k).data());
  d->w = PackedStrassen(plain);
  d->sums = Buffer(strassen_sums_floats(1, m, k) * size_of(DType::f32), "benchmark");
  d->scratch = Buffer(kStrassenScratch * size_of(DType::f32), "benchmark");
  Case c;
  c.op = "linear_strassen";
  c.shape = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  c.flops = 2.0 * static_cast<double>(m * n * k);
  c.bytes = 4.0 * static_cast<double>(m * k + n * k / 4 * kStrassenProducts + m * n);
  c.run = [=](const KernelTable& t) {
    const StrassenRows rows{.upper = d->x.data(),
                            .lower = d->x.data() + pairs * x_stride,
                            .x_stride = x_stride,
                            .sums = d->sums.as<float>(),
                            .sums_stride = stride,
                            .sums_apart = pairs * stride,
                            .pairs = pairs,
                            .lower_rows = m / 2,
                            .depth = depth};
    t.strassen_sums(rows);
    for (int64_t n0 = 0; n0 < n / 2; n0 += kStrassenColumns)
      t.linear_strassen({.rows = rows,
                         .weights = d->w.strip_at(n0),
                         .weights_apart = d->w.apart(),
                         .bias = d->bias.data() + n0,
                         .y_upper = d->y.data() + n0,
                         .y_lower = d->y.data() + pairs * n + n0,
                         .y_stride = n,
                         .right = n / 2,
                         .columns = std::min(kStrassenColumns, n / 2 - n0),
                         .activation = Activation::linear,
                         .add_to_output = false,
                         .scratch = d->scratch.as<float>(),
                         .next = n0 + kStrassenColumns < n / 2 ? d->w.strip_at(n0 + kStrassenColumns) : nullptr});
  };
  c.result = [=]() -> const Values& { return d->y; };
  return c;
}

}  // namespace

std::vector<Case> strassen_cases() {
  std::vector<Case> cases;
  const int64_t shapes[][3] = {{197, 3072, 768},  {197, 768, 3072},  {257, 1024, 1024}, {257, 4096, 1024},
                               {257, 1024, 4096}, {257, 5120, 1280}, {257, 1280, 5120}};
  for (const auto& s : shapes) cases.push_back(strassen_case(s[0], s[1], s[2]));
  return cases;
}

}  // namespace tw::bench
