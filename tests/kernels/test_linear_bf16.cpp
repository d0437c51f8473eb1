// bf16 products and attention beyond what kernels/check does: bits that depend on nothing but the row, and both outputs
// of layer_norm.
#include <algorithm>
#include <cmath>

#include "core/buffer.h"
#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

std::vector<uint16_t> rounded(std::span<const float> values) {
  std::vector<uint16_t> out;
  for (const float v : values) out.push_back(f32_to_bf16(v));
  return out;
}

}  // namespace

TEST_CASE("linear_bf16: a row's bits depend on that row alone, a column's on that column") {
  Random random(51);
  constexpr int64_t kRows = 53, kColumns = 150, kDepth = 96;
  const std::vector<uint16_t> x = rounded(random.normal_vector(kRows * kDepth));
  PackedMatrix w(kColumns, kDepth, DType::bf16, "test");
  w.set_rows(0, kColumns, random.normal_vector(kColumns * kDepth).data());
  const std::vector<float> bias = random.normal_vector(kColumns);
  for_each_table([&](const KernelTable& table) {
    for (const bool bf16 : {false, true}) {
      const auto run = [&](int64_t first, int64_t rows, int64_t column, int64_t columns) {
        std::vector<float> y(static_cast<size_t>(rows * columns), 1.0f);
        std::vector<uint16_t> y_bf16(y.size());
        table.linear_bf16({.x = x.data() + first * kDepth,
                           .x_stride = kDepth,
                           .weights = static_cast<const uint16_t*>(w.strip_at(column)),
                           .bias = bias.data() + column,
                           .y = bf16 ? static_cast<void*>(y_bf16.data()) : y.data(),
                           .y_stride = columns,
                           .rows = rows,
                           .columns = columns,
                           .k = kDepth,
                           .activation = bf16 ? Activation::gelu : Activation::linear,
                           .add_to_output = !bf16,
                           .y_is_bf16 = bf16});
        if (bf16) std::transform(y_bf16.begin(), y_bf16.end(), y.begin(), [](uint16_t h) { return bf16_to_f32(h); });
        return y;
      };
      const std::vector<float> whole = run(0, kRows, 0, kColumns);
      int64_t wrong = 0;
      for (const int64_t count : {1, 5, 15, 16, 17, 31, 32, 33}) {
        for (int64_t first = 0; first + count <= kRows; first += count) {
          for (const auto& [column, columns] : {std::pair{int64_t{0}, kColumns}, {int64_t{48}, int64_t{33}}}) {
            const std::vector<float> part = run(first, count, column, columns);
            for (int64_t r = 0; r < count; ++r)
              for (int64_t c = 0; c < columns; ++c)
                wrong += part[static_cast<size_t>(r * columns + c)] !=
                         whole[static_cast<size_t>((first + r) * kColumns + column + c)];
          }
        }
      }
      CAPTURE(bf16);
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("linear_bf16: integer products are exact, however long a row is") {
  Random random(54);
  constexpr int64_t kRows = 53, kColumns = 40;
  for (const int64_t k : {int64_t{256}, int64_t{288}, int64_t{600}, int64_t{1500}}) {
    const int64_t depth = bf16_depth(k);
    std::vector<float> rows(static_cast<size_t>(kRows * depth)), weights(static_cast<size_t>(kColumns * k));
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t i = 0; i < k; ++i)
        rows[static_cast<size_t>(r * depth + i)] = static_cast<float>(random.integer(-3, 3));
    for (float& w : weights) w = static_cast<float>(random.integer(-3, 3));
    const std::vector<uint16_t> x = rounded(rows);
    PackedMatrix w(kColumns, k, DType::bf16, "test");
    w.set_rows(0, kColumns, weights.data());
    std::vector<float> expected(static_cast<size_t>(kRows * kColumns));
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t c = 0; c < kColumns; ++c)
        for (int64_t i = 0; i < k; ++i)
          expected[static_cast<size_t>(r * kColumns + c)] +=
              rows[static_cast<size_t>(r * depth + i)] * weights[static_cast<size_t>(c * k + i)];
    for_each_table([&](const KernelTable& table) {
      for (const int64_t count : {int64_t{1}, int64_t{12}, int64_t{20}, kRows}) {
        CAPTURE(k, count);
        std::vector<float> y(static_cast<size_t>(count * kColumns));
        table.linear_bf16({.x = x.data(),
                           .x_stride = depth,
                           .weights = static_cast<const uint16_t*>(w.strip_at(0)),
                           .bias = nullptr,
                           .y = y.data(),
                           .y_stride = kColumns,
                           .rows = count,
                           .columns = kColumns,
                           .k = depth,
                           .activation = Activation::linear,
                           .add_to_output = false,
                           .y_is_bf16 = false});
        CHECK(y == std::vector<float>(expected.begin(), expected.begin() + count * kColumns));
      }
    });
  }
}

TEST_CASE("attention_bf16: a query's bits do not depend on its neighbours") {
  Random random(52);
  constexpr int64_t kQueries = 70, kWidth = 80;
  for (const int64_t keys : {197, 1090}) {
    const std::vector<uint16_t> q = rounded(random.normal_vector(kQueries * kWidth)),
                                k = rounded(random.normal_vector(keys * kWidth)),
                                v = rounded(random.normal_vector(keys * kWidth));
    Guarded<float> scratch(attention_bf16_scratch(keys, kWidth));  // full of NaN
    for_each_table([&](const KernelTable& table) {
      const auto run = [&](int64_t first, int64_t count) {
        std::vector<uint16_t> out(static_cast<size_t>(count * kWidth));
        table.attention_bf16({.q = q.data() + first * kWidth,
                              .k = k.data(),
                              .v = v.data(),
                              .q_stride = kWidth,
                              .k_stride = kWidth,
                              .v_stride = kWidth,
                              .out = out.data(),
                              .out_stride = kWidth,
                              .queries = count,
                              .keys = keys,
                              .width = kWidth,
                              .scale = 0.11f,
                              .scratch = scratch.data()});
        return out;
      };
      const std::vector<uint16_t> whole = run(0, kQueries);
      CHECK(std::ranges::none_of(whole, [](uint16_t h) { return std::isnan(bf16_to_f32(h)); }));
      for (const int64_t count : {1, 7, 16, 33}) {
        for (int64_t first = 0; first + count <= kQueries; first += count) {
          const auto begin = whole.begin() + first * kWidth;
          CHECK(run(first, count) == std::vector<uint16_t>(begin, begin + count * kWidth));
        }
      }
    });
  }
}

TEST_CASE("layer_norm: its bf16 output is its f32 output, rounded; either may be left out") {
  Random random(53);
  for (const int64_t columns : {1, 15, 16, 33, 768}) {
    const std::vector<float> x = random.normal_vector(3 * columns, 4.0), gamma = random.normal_vector(columns),
                             beta = random.normal_vector(columns);
    for_each_table([&](const KernelTable& table) {
      std::vector<float> y(x.size());
      std::vector<uint16_t> both(static_cast<size_t>(3 * (columns + 2)), 7), alone = both;
      LayerNormArgs args{.x = x.data(),
                         .x_stride = columns,
                         .gamma = gamma.data(),
                         .beta = beta.data(),
                         .y = y.data(),
                         .y_stride = columns,
                         .rows = 3,
                         .columns = columns,
                         .epsilon = 1e-5f,
                         .y_bf16 = both.data(),
                         .y_bf16_stride = columns + 2};
      table.layer_norm(args);
      args.y = nullptr, args.y_bf16 = alone.data();
      table.layer_norm(args);
      CHECK(alone == both);
      int64_t wrong = 0;
      for (int64_t r = 0; r < 3; ++r)
        for (int64_t c = 0; c < columns + 2; ++c)
          wrong += both[static_cast<size_t>(r * (columns + 2) + c)] !=
                   (c < columns ? f32_to_bf16(y[static_cast<size_t>(r * columns + c)]) : 7);
      CHECK(wrong == 0);
    });
  }
}

TEST_CASE("patches: in bf16 they are the f32 ones, rounded") {
  Random random(54);
  constexpr int64_t kSide = 30, kPatch = 5, kGrid = 36, kValues = 3 * kPatch * kPatch;
  const std::vector<float> planar = random.normal_vector(3 * kSide * kSide), table_values = random.normal_vector(768);
  std::vector<uint8_t> bytes(3 * kSide * kSide);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random.integer(0, 255));
  for_each_table([&](const KernelTable& table) {
    for (const bool u8 : {true, false}) {
      std::vector<float> f32(kGrid * kValues);
      std::vector<uint16_t> bf16(kGrid * kValues);
      PatchesArgs args{.pixels = u8 ? static_cast<const void*>(bytes.data()) : planar.data(),
                       .table = table_values.data(),
                       .width = kSide,
                       .height = kSide,
                       .channels = 3,
                       .patch = kPatch,
                       .first_row = 0,
                       .rows = kGrid,
                       .y = f32.data(),
                       .y_stride = kValues};
      const auto extract = u8 ? table.patches_u8 : table.patches_f32;
      extract(args);
      args.y = bf16.data(), args.y_is_bf16 = true;
      extract(args);
      CHECK(bf16 == rounded(f32));
    }
  });
}

}  // namespace tw::test
