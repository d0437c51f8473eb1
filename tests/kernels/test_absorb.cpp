// Attention without keys and values: its kernels against the oracle, and the operation against attention with them.
#include <cmath>
#include <limits>

#include "core/checked_math.h"
#include "kernels/ops.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/members.h"

namespace tw::test {
namespace {

std::vector<float> transposed(std::span<const float> x, int64_t rows, int64_t columns) {
  std::vector<float> y(x.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      y[static_cast<size_t>(c * rows + r)] = x[static_cast<size_t>(r * columns + c)];
  return y;
}

// u as a dense matrix [heads, k], from the strips that the kernel writes in two goes.
std::vector<float> run_absorb_keys(const KernelTable& table, std::span<const float> q, std::span<const float> w,
                                   int64_t heads, int64_t width, int64_t k) {
  Guarded<float> asks = guarded_input(q, {Edge::begin, 1, 0}), weights = guarded_weights(w, heads * width, k);
  const int64_t strips = ceil_div(heads, kStrip);
  Guarded<float> u(strips * k * kStrip);
  for (const auto& [first, count] : {std::pair{k / 3, k - k / 3}, std::pair{int64_t{0}, k / 3}}) {
    table.absorb_keys({.q = asks.data(),
                       .weights = weights.data(),
                       .u = u.data(),
                       .heads = heads,
                       .width = width,
                       .k = k,
                       .first = first,
                       .count = count});
  }
  CHECK(u.surroundings_intact());
  std::vector<float> dense;
  for (int64_t h = 0; h < strips * kStrip; ++h) {
    for (int64_t c = 0; c < k; ++c) {
      const float value = u.data()[(h / kStrip * k + c) * kStrip + h % kStrip];
      if (h < heads) dense.push_back(value);
      if (h >= heads) CHECK(value == 0.0f);
    }
  }
  return dense;
}

std::vector<float> run_softmax(const KernelTable& table, std::span<const float> x, int64_t rows, int64_t columns,
                               float scale, Layout layout = {}) {
  GuardedMatrix y(rows, columns, x, layout);
  table.softmax_columns({.x = y.data(), .x_stride = y.stride(), .rows = rows, .columns = columns, .scale = scale});
  CHECK(y.damage() == "");
  return y.values();
}

std::vector<float> run_weigh(const KernelTable& table, std::span<const float> p, std::span<const float> x, int64_t rows,
                             int64_t columns, int64_t heads, Layout layout = {}) {
  GuardedMatrix weights(rows, heads, p, layout), values(rows, columns, x, layout_number(layout.gap + 1));
  GuardedMatrix y(heads, columns, layout_number(layout.gap + 2));
  weights.freeze(), values.freeze();
  table.weigh_rows({.p = weights.data(),
                    .p_stride = weights.stride(),
                    .x = values.data(),
                    .x_stride = values.stride(),
                    .y = y.data(),
                    .y_stride = y.stride(),
                    .rows = rows,
                    .columns = columns,
                    .heads = heads});
  CHECK(y.damage() == "");
  return y.values();
}

}  // namespace

TEST_CASE("absorb_keys: integers exactly, other numbers within the bound") {
  Random random(11);
  for (const int64_t heads : {1, 2, 12, 15, 16, 17, 33}) {
    for (const int64_t width : {16, 64, 80}) {
      for (const int64_t k : {1, 5, 48, 100}) {
        CAPTURE(heads, width, k);
        const int64_t n = heads * width;
        const std::vector<float> whole_q = random.integer_vector(n, -50, 50);
        const std::vector<float> whole_w = random.integer_vector(n * k, -50, 50);
        const std::vector<float> q = random.heavy_tailed_vector(n), w = random.normal_vector(n * k);
        for_each_table([&](const KernelTable& table) {
          const std::vector<float> exact = run_absorb_keys(table, whole_q, whole_w, heads, width, k);
          const std::vector<float> u = run_absorb_keys(table, q, w, heads, width, k);
          Doubles expected, magnitude;
          for (int64_t h = 0; h < heads; ++h) {
            const auto part = [&](std::span<const float> x, int64_t each) {
              return widen(x.subspan(static_cast<size_t>(h * width * each), static_cast<size_t>(width * each)));
            };
            const std::vector<float> turned = transposed(
                std::span(w).subspan(static_cast<size_t>(h * width * k), static_cast<size_t>(width * k)), width, k);
            const Sum sum = linear(part(q, 1), widen(turned), {}, 1, k, width);
            expected.insert(expected.end(), sum.value.begin(), sum.value.end());
            magnitude.insert(magnitude.end(), sum.magnitude.begin(), sum.magnitude.end());
            for (int64_t c = 0; c < k; ++c) {
              double whole = 0;
              for (int64_t i = h * width; i < (h + 1) * width; ++i)
                whole += static_cast<double>(whole_q[static_cast<size_t>(i)]) *
                         static_cast<double>(whole_w[static_cast<size_t>(i * k + c)]);
              CHECK(static_cast<double>(exact[static_cast<size_t>(h * k + c)]) == whole);
            }
          }
          const BoundReport report = check_error(u, expected, [&](size_t i) {
            return likely_depth(static_cast<double>(width) + 2) * kF32Unit * magnitude[i];
          });
          record_error("absorb_keys", table, report.worst);
          INFO(report.describe());
          CHECK(report.ok());
        });
      }
    }
  }
}

TEST_CASE("softmax_columns: the softmax of the turned matrix; a column does not know the others") {
  Random random(12);
  for (const int64_t columns : {1, 7, 8, 9, 12, 16, 17, 40}) {
    for (const int64_t rows : {1, 3, 52, 197, 577}) {
      CAPTURE(columns, rows);
      const float scale = 0.125f;
      const std::vector<float> x = random.normal_vector(rows * columns, 40.0);
      std::vector<float> scaled = transposed(x, rows, columns);
      for (float& v : scaled) v *= scale;  // exact
      const Doubles expected = softmax(widen(scaled), columns, rows);
      double most = 0;
      for (const float v : scaled) most = std::max(most, std::abs(static_cast<double>(v)));
      for_each_table([&](const KernelTable& table) {
        const std::vector<float> y = run_softmax(table, x, rows, columns, scale, layout_number(rows));
        const BoundReport report = check_error(transposed(y, rows, columns), expected, [&](size_t i) {
          return (4 * most + static_cast<double>(rows) + 16) * kF32Unit * expected[i];
        });
        record_error("softmax_columns", table, report.worst);
        INFO(report.describe());
        CHECK(report.ok());
        if (columns == 1) return;
        std::vector<float> spoilt = x, first;
        for (int64_t r = 0; r < rows; ++r) first.push_back(y[static_cast<size_t>(r * columns)]);
        spoilt.back() = std::numeric_limits<float>::quiet_NaN();
        const std::vector<float> beside = run_softmax(table, spoilt, rows, columns, scale);
        for (int64_t r = 0; r < rows; ++r) {
          CHECK(beside[static_cast<size_t>(r * columns)] == first[static_cast<size_t>(r)]);
          CHECK(std::isnan(beside[static_cast<size_t>((r + 1) * columns - 1)]));
        }
      });
    }
  }
}

TEST_CASE("softmax_columns: the largest number may stand anywhere and be anything") {
  for (const int64_t columns : {1, 12, 17}) {
    for (const int64_t rows : {1, 2, 52}) {
      for (int64_t place = 0; place < rows; ++place) {
        for (const float level : {-3e4f, 0.0f, 3e4f}) {
          // Every other column has it at the other end. Without the maximum subtracted exp is 0 or infinite.
          std::vector<float> x, expected;
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < columns; ++c) {
              const bool is_largest = r == (c % 2 == 0 ? place : rows - 1 - place);
              x.push_back(level + (is_largest ? 400.0f : 0.0f));
              expected.push_back(is_largest ? 1.0f : 0.0f);
            }
          }
          CAPTURE(columns, rows, place, level);
          for_each_table([&](const KernelTable& table) {
            CHECK(first_difference(run_softmax(table, x, rows, columns, 1.0f), expected) == -1);
          });
        }
      }
    }
  }
}

TEST_CASE("weigh_rows: integers exactly, other numbers within the bound, any range of columns alike") {
  Random random(13);
  for (const int64_t heads : {1, 2, 5, 6, 7, 12, 16, 20}) {
    for (const int64_t columns : {1, 8, 17, 64, 70, 200}) {
      const int64_t rows = random.integer(1, 70);
      CAPTURE(heads, columns, rows);
      const std::vector<float> whole_p = random.integer_vector(rows * heads, 0, 99);
      const std::vector<float> whole_x = random.integer_vector(rows * columns, -99, 99);
      const std::vector<float> p = random.normal_vector(rows * heads), x = random.heavy_tailed_vector(rows * columns);
      const auto expected = [&](std::span<const float> weights, std::span<const float> values) {
        return linear(widen(transposed(weights, rows, heads)), widen(transposed(values, rows, columns)), {}, heads,
                      columns, rows);
      };
      const Sum sum = expected(p, x), whole = expected(whole_p, whole_x);
      for_each_table([&](const KernelTable& table) {
        CHECK(widen(run_weigh(table, whole_p, whole_x, rows, columns, heads, layout_number(heads))) == whole.value);
        const std::vector<float> y = run_weigh(table, p, x, rows, columns, heads);
        const BoundReport report = check_error(y, sum.value, [&](size_t i) {
          return likely_depth(static_cast<double>(rows) + 1) * kF32Unit * sum.magnitude[i];
        });
        record_error("weigh_rows", table, report.worst);
        INFO(report.describe());
        CHECK(report.ok());
        const int64_t half = columns / 2;
        std::vector<float> left;
        for (int64_t r = 0; r < rows; ++r)
          left.insert(left.end(), x.begin() + r * columns, x.begin() + r * columns + half);
        const std::vector<float> part = run_weigh(table, p, left, rows, half, heads);
        for (int64_t h = 0; h < heads; ++h) {
          CHECK(first_difference(std::span(part).subspan(static_cast<size_t>(h * half), static_cast<size_t>(half)),
                                 std::span(y).subspan(static_cast<size_t>(h * columns), static_cast<size_t>(half))) ==
                -1);
        }
      });
    }
  }
}

TEST_CASE("absorbed_attention: what attention makes of keys and values, alone or in a batch, however many share it") {
  Random random(14);
  struct Shape {
    int64_t heads, width, depth;
  };
  std::vector<int64_t> many;
  for (int64_t i = 0; i < 40; ++i) many.push_back(random.integer(1, 30));
  for (const Shape& s :
       {Shape{1, 16, 10}, Shape{3, 32, 96}, Shape{12, 64, 100}, Shape{17, 16, 64}, Shape{2, 80, 160}}) {
    for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{}, {1}, {197}, {5, 1, 133}, many}) {
      const int64_t n = s.heads * s.width, padded = round_up(n, kStrip), asked = std::ssize(lengths);
      CAPTURE(s.heads, s.width, s.depth, asked);
      std::vector<Sequence> sequences;
      int64_t rows = 0;
      for (const int64_t length : lengths) {
        sequences.push_back({std::ssize(sequences), 1, rows, length});
        rows += length;
      }
      const Linear qkv = make_linear(3 * padded, s.depth, true, random, 1 / std::sqrt(static_cast<double>(s.depth)));
      const LinearView keys = qkv.columns(padded, n), values = qkv.columns(2 * padded, n);
      Output q(asked, n, random.normal_vector(asked * n), layout_number(1));
      Output x(rows, s.depth, random.normal_vector(rows * s.depth, 2.0), layout_number(2));
      q.memory.freeze(), x.memory.freeze();
      const int64_t floats = absorbed_attention_floats(rows, asked, s.depth, s.heads);
      for_each_table([&](const KernelTable& table) {
        Output k(rows, n), v(rows, n), with_keys(asked, n);
        on_members(table, 1, attention_scratch_floats(197, s.width, DType::f32), [&](Exec& ex) {
          linear(ex, k.tensor, x.tensor, keys);
          linear(ex, v.tensor, x.tensor, values);
          attention(ex, with_keys.tensor, q.tensor, k.tensor, v.tensor, sequences, s.heads);
        });
        const std::vector<float> expected = with_keys.memory.values();
        std::vector<float> alone;  // sequence by sequence
        for (const Sequence& each : sequences) {
          const std::vector<Sequence> one{{0, 1, 0, each.keys}};
          Output out(1, n);
          Buffer room(absorbed_attention_floats(each.keys, 1, s.depth, s.heads) * 4, "room");
          on_members(table, 1, 0, [&](Exec& ex) {
            absorbed_attention(ex, out.tensor, q.tensor.row_range(each.first_query, 1),
                               x.tensor.row_range(each.first_key, each.keys), keys, values, one, s.heads,
                               room.as<float>());
          });
          const std::vector<float> row = out.memory.values();
          alone.insert(alone.end(), row.begin(), row.end());
        }
        for (const int members : kTeams) {
          Output out(asked, n, layout_number(members));
          Guarded<float> room(round_up(floats, kStrip));
          on_members(table, members, 0, [&](Exec& ex) {
            absorbed_attention(ex, out.tensor, q.tensor, x.tensor, keys, values, sequences, s.heads, room.data());
          });
          CHECK(out.memory.damage() == "");
          CHECK(room.surroundings_intact());
          CHECK(first_difference(out.memory.values(), alone) == -1);
        }
        for (size_t i = 0; i < expected.size(); ++i)
          CHECK(std::abs(static_cast<double>(alone[i]) - static_cast<double>(expected[i])) <= 1e-5);
      });
    }
  }
}

}  // namespace tw::test
