// The steps of attention without keys and values: absorb_keys, softmax_columns, weigh_rows.
#include <algorithm>

#include "kernels/check/evidence.h"

namespace tw::check {

void absorb_keys(const KernelTable& table, Generator& random, Verdict& verdict) {
  struct Shape {
    int64_t heads, width, k, first, count;
  };
  constexpr Shape kShapes[] = {{1, 16, 1, 0, 1}, {3, 32, 20, 0, 20}, {12, 64, 40, 7, 9}, {17, 16, 9, 8, 1}};
  for (const Shape& s : kShapes) {
    const auto number = [&] { return random.uniform(-1, 1); };
    const Matrix q(1, s.heads * s.width, number), w(s.heads * s.width, s.k, number);
    Lines<float> weights = pack_f32(w);
    const int64_t columns = (s.heads + kStrip - 1) / kStrip * kStrip;
    Matrix u(1, columns * s.k);  // of which `count` lines a strip are to be written
    for (int64_t i = 0; i < columns * s.k; ++i)
      if (const int64_t c = i / kStrip % s.k; c < s.first || c >= s.first + s.count) u.at(0, i) = 7;
    table.absorb_keys({.q = q.data(),
                       .weights = weights.data(),
                       .u = u.data(),
                       .heads = s.heads,
                       .width = s.width,
                       .k = s.k,
                       .first = s.first,
                       .count = s.count});
    verdict.intact("absorb_keys", u);
    for (int64_t h = 0; h < columns; ++h) {
      for (int64_t c = 0; c < s.k; ++c) {
        const bool asked = c >= s.first && c < s.first + s.count;
        double expected = asked ? 0 : 7, terms = 0;
        for (int64_t i = h * s.width; asked && h < s.heads && i < (h + 1) * s.width; ++i) {
          expected += q.value(0, i) * w.value(i, c);
          terms += std::abs(q.value(0, i) * w.value(i, c));
        }
        verdict.near("absorb_keys", h, c, u.at(0, (h / kStrip * s.k + c) * kStrip + h % kStrip), expected,
                     (static_cast<double>(s.width) + 2) * kUnit * terms);
      }
    }
  }
}

void softmax_columns(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const int64_t columns : {1, 7, 8, 12, 16, 17, 33}) {
    for (const int64_t rows : {1, 2, 19, 197}) {
      const float scale = random.uniform(0.1f, 1);
      const Matrix x(rows, columns, [&] { return random.uniform(-60, 40); });
      Matrix y = x;
      table.softmax_columns({.x = y.data(), .x_stride = y.stride(), .rows = rows, .columns = columns, .scale = scale});
      verdict.intact("softmax_columns", y);
      for (int64_t c = 0; c < columns; ++c) {
        const auto scaled = [&](int64_t r) { return static_cast<double>(scale) * x.value(r, c); };
        double largest = -HUGE_VAL, most = 0, sum = 0;
        for (int64_t r = 0; r < rows; ++r) {
          largest = std::max(largest, scaled(r));
          most = std::max(most, std::abs(scaled(r)));
        }
        for (int64_t r = 0; r < rows; ++r) sum += std::exp(scaled(r) - largest);
        for (int64_t r = 0; r < rows; ++r) {
          const double expected = std::exp(scaled(r) - largest) / sum;
          verdict.near("softmax_columns", r, c, y.at(r, c), expected,
                       (4 * most + static_cast<double>(rows) + 16) * kUnit * expected + 0x1p-126);
        }
      }
    }
  }
}

void weigh_rows(const KernelTable& table, Generator& random, Verdict& verdict) {
  struct Shape {
    int64_t rows, columns, heads;
  };
  constexpr Shape kShapes[] = {{1, 1, 1}, {3, 16, 2}, {5, 33, 5}, {2, 64, 6}, {9, 80, 7}, {50, 129, 12}, {4, 7, 13}};
  for (const Shape& s : kShapes) {
    const auto number = [&] { return random.uniform(-1, 1); };
    const Matrix p(s.rows, s.heads, number), x(s.rows, s.columns, number);
    Matrix y(s.heads, s.columns);
    table.weigh_rows({.p = p.data(),
                      .p_stride = p.stride(),
                      .x = x.data(),
                      .x_stride = x.stride(),
                      .y = y.data(),
                      .y_stride = y.stride(),
                      .rows = s.rows,
                      .columns = s.columns,
                      .heads = s.heads});
    verdict.intact("weigh_rows", y);
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t c = 0; c < s.columns; ++c) {
        double expected = 0, terms = 0;
        for (int64_t r = 0; r < s.rows; ++r) {
          expected += p.value(r, h) * x.value(r, c);
          terms += std::abs(p.value(r, h) * x.value(r, c));
        }
        verdict.near("weigh_rows", h, c, y.at(h, c), expected, (static_cast<double>(s.rows) + 1) * kUnit * terms);
      }
    }
  }
}

}  // namespace tw::check
