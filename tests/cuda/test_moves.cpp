// Operations that only a device's table has: rows that move, and patches of several items. Everything is exact.
#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <vector>

#include "core/dtype.h"
#include "tests/cuda/kernels_under_test.h"
#include "tests/cuda/under_test.h"
#include "tests/support/random.h"

namespace tw::test {
namespace {

constexpr float kOld = -7;
constexpr uint16_t kOldBits = 0x1234;

std::vector<uint16_t> some_bits(Random& random, int64_t count) {
  std::vector<uint16_t> values(static_cast<size_t>(count));
  for (uint16_t& v : values) v = static_cast<uint16_t>(random.bits());
  return values;
}

}  // namespace

TEST_CASE("cuda gather_rows: chosen rows and all, of either size of element, rounded or as they are") {
  Random random(1);
  const int64_t rows = 9, columns = 300, x_stride = 303, y_stride = 301;  // more columns than threads
  const std::vector<float> x = random.normal_vector(rows * x_stride);
  const std::vector<uint16_t> bits = some_bits(random, rows * x_stride);
  std::vector<uint16_t> halves(x.size());
  std::transform(x.begin(), x.end(), halves.begin(), f32_to_bf16);
  const std::vector<int64_t> chosen = {8, 0, 0, 5};
  for (const bool all : {false, true}) {
    const int64_t count = all ? rows : std::ssize(chosen);
    std::vector<float> y(static_cast<size_t>(count * y_stride), kOld);
    std::vector<uint16_t> bf16(y.size(), kOldBits), f16(y.size(), kOldBits), same(y.size(), kOldBits);
    std::vector<uint8_t> e4m3(y.size(), 0xEE);
    GatherRowsArgs p{.x_type = DType::f32,
                     .x = x.data(),
                     .x_stride = x_stride,
                     .rows = all ? nullptr : chosen.data(),
                     .y_type = DType::f32,
                     .y_factor = 8.0f,
                     .y = y.data(),
                     .y_stride = y_stride,
                     .count = count,
                     .columns = columns};
    gather_rows(p, rows);
    p.y = bf16.data(), p.y_type = DType::bf16;
    gather_rows(p, rows);
    p.y = f16.data(), p.y_type = DType::f16;
    gather_rows(p, rows);
    p.x = bits.data(), p.y = same.data(), p.x_type = p.y_type = DType::bf16;
    gather_rows(p, rows);
    p.x = halves.data(), p.y = e4m3.data(), p.y_type = DType::e4m3;
    gather_rows(p, rows);
    std::vector<uint8_t> bytes(bits.size()), same_bytes(y.size(), 0xEE);
    std::transform(bits.begin(), bits.end(), bytes.begin(), [](uint16_t b) { return static_cast<uint8_t>(b); });
    p.x = bytes.data(), p.x_type = DType::e4m3, p.y = same_bytes.data();
    gather_rows(p, rows);
    int64_t different = 0;
    for (int64_t i = 0; i < std::ssize(y); ++i) {
      const int64_t row = i / y_stride, column = i % y_stride, from = all ? row : chosen[static_cast<size_t>(row)];
      const auto at = static_cast<size_t>(i), source = static_cast<size_t>(from * x_stride + column);
      const bool moved = column < columns;
      different += y[at] != (moved ? x[source] : kOld);
      different += bf16[at] != (moved ? f32_to_bf16(x[source]) : kOldBits);
      different += f16[at] != (moved ? f32_to_f16(x[source]) : kOldBits);
      different += same[at] != (moved ? bits[source] : kOldBits);
      different += same_bytes[at] != (moved ? bytes[source] : 0xEE);
      different += e4m3[at] != (moved ? f32_to_e4m3(8.0f * bf16_to_f32(halves[source])) : 0xEE);
    }
    CAPTURE(all);
    CHECK(different == 0);
  }
}

TEST_CASE("cuda clear: the bytes asked for and no other") {
  std::vector<uint8_t> y(5 * 11, 0x12);
  clear({y.data() + 2, 11, 5, 7});
  for (size_t i = 0; i < y.size(); ++i) {
    CAPTURE(i);
    CHECK(y[i] == (i % 11 >= 2 && i % 11 < 9 ? 0 : 0x12));
  }
}

TEST_CASE("cuda f32_to_f16: rounded as the host rounds") {
  Random random(4);
  std::vector<float> x = random.heavy_tailed_vector(1000);
  for (const float v :
       {0.0f, -0.0f, 65504.0f, 65519.0f, 65520.0f, -1e9f, HUGE_VALF, 0x1p-14f, 0x1p-24f, 0x1p-25f, 0x3p-26f, 0x7p-17f})
    x.push_back(v);
  std::vector<uint16_t> y(x.size(), kOldBits);
  convert_to_f16({x.data(), y.data(), std::ssize(x)});
  for (size_t i = 0; i < x.size(); ++i) {
    CAPTURE(x[i]);
    CHECK(y[i] == f32_to_f16(x[i]));
  }
}

TEST_CASE("cuda layer_norm: the copy that products read, in each of their types") {
  Random random(5);
  const int64_t rows = 7, columns = 75, stride = 80;
  const std::vector<float> x = random.normal_vector(rows * columns), gamma = random.normal_vector(columns),
                           beta = random.normal_vector(columns);
  for (const DType type : {DType::bf16, DType::f16, DType::e4m3}) {
    std::vector<float> y(static_cast<size_t>(rows * columns), kOld);
    std::vector<uint16_t> halves(static_cast<size_t>(rows * stride), kOldBits);
    std::vector<uint8_t> bytes(halves.size(), 0xEE);
    void* copy = type == DType::e4m3 ? static_cast<void*>(bytes.data()) : halves.data();
    layer_norm_batch({.rows = {.x = x.data(),
                               .x_stride = columns,
                               .gamma = gamma.data(),
                               .beta = beta.data(),
                               .y = y.data(),
                               .y_stride = columns,
                               .rows = rows,
                               .columns = columns,
                               .epsilon = 1e-5f,
                               .y_bf16 = static_cast<uint16_t*>(copy),
                               .y_bf16_stride = stride},
                      .copy_type = type,
                      .copy_factor = 64.0f});
    int64_t different = 0;
    for (int64_t i = 0; i < rows * stride; ++i) {
      const bool inside = i % stride < columns;
      const float v = inside ? y[static_cast<size_t>(i / stride * columns + i % stride)] : 0;
      const auto at = static_cast<size_t>(i);
      if (type == DType::e4m3) {
        different += bytes[at] != (inside ? f32_to_e4m3(64.0f * v) : 0xEE);
      } else {
        const uint16_t expected = type == DType::bf16 ? f32_to_bf16(v) : f32_to_f16(v);
        different += halves[at] != (inside ? expected : kOldBits);
      }
    }
    CAPTURE(name(type));
    CHECK(different == 0);
  }
}

TEST_CASE("cuda store_heads: blocks of heads behind what they had before") {
  Random random(2);
  const int64_t items = 2, heads = 3, length = 4, width = 5, x_stride = 17;
  const std::vector<float> x = random.normal_vector(items * length * x_stride);
  for (const int64_t past : {0, 3}) {
    const int64_t keys = past + length;
    const std::vector<float> before = random.normal_vector(items * heads * past * width);
    std::vector<float> to(static_cast<size_t>(items * heads * keys * width), kOld);
    store_heads({{to.data(), before.data(), items, heads, length, past}, x.data(), x_stride, width});
    int64_t different = 0;
    for (int64_t i = 0; i < std::ssize(to); ++i) {
      const int64_t c = i % width, key = i / width % keys, unit = i / width / keys;
      const float expected =
          key < past
              ? before[static_cast<size_t>((unit * past + key) * width + c)]
              : x[static_cast<size_t>((unit / heads * length + key - past) * x_stride + unit % heads * width + c)];
      different += to[static_cast<size_t>(i)] != expected;
    }
    CAPTURE(past);
    CHECK(different == 0);
  }
}

TEST_CASE("cuda patches: several pictures, each behind a row of zeros, in f32, bf16 and f16") {
  Random random(3);
  const int64_t items = 3, side = 12, patch = 4, grid = side / patch, rows = grid * grid, columns = 3 * patch * patch,
                y_stride = columns + 2;
  std::vector<uint8_t> bytes(static_cast<size_t>(items * side * side * 3));
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random.integer(0, 255));
  const std::vector<float> table = random.normal_vector(3 * 256), values = random.normal_vector(std::ssize(bytes));
  for (const bool u8 : {true, false}) {
    for (const DType type : {DType::f32, DType::bf16, DType::f16}) {
      const bool f32 = type == DType::f32;
      std::vector<float> y(static_cast<size_t>(items * (rows + 1) * y_stride), kOld);
      std::vector<uint16_t> y_half(y.size(), kOldBits);
      const PatchesBatchArgs p{.item = {.pixels = u8 ? static_cast<const void*>(bytes.data()) : values.data(),
                                        .table = u8 ? table.data() : nullptr,
                                        .width = side,
                                        .height = side,
                                        .channels = 3,
                                        .patch = patch,
                                        .first_row = 0,
                                        .rows = rows,
                                        .y = f32 ? static_cast<void*>(y.data()) : y_half.data(),
                                        .y_stride = y_stride},
                               .y_type = type,
                               .items = items,
                               .item_rows = rows + 1,
                               .item_bytes = side * side * 3 * (u8 ? 1 : 4),
                               .class_row = true};
      u8 ? patches_u8_batch(p) : patches_f32_batch(p);
      int64_t different = 0;
      for (int64_t i = 0; i < std::ssize(y); ++i) {
        const int64_t column = i % y_stride, row = i / y_stride % (rows + 1) - 1, item = i / y_stride / (rows + 1);
        const auto at = static_cast<size_t>(i);
        if (column >= columns) {
          different += f32 ? y[at] != kOld : y_half[at] != kOldBits;
          continue;
        }
        const int64_t channel = column / (patch * patch), top = row / grid * patch + column / patch % patch,
                      left = row % grid * patch + column % patch;
        float expected = 0;
        if (row >= 0 && u8)
          expected = table[static_cast<size_t>(
              channel * 256 + bytes[static_cast<size_t>(((item * side + top) * side + left) * 3 + channel)])];
        if (row >= 0 && !u8) expected = values[static_cast<size_t>(((item * 3 + channel) * side + top) * side + left)];
        const uint16_t half = type == DType::bf16 ? f32_to_bf16(expected) : f32_to_f16(expected);
        different += f32 ? y[at] != expected : y_half[at] != half;
      }
      CAPTURE(u8, name(type));
      CHECK(different == 0);
    }
  }
}

}  // namespace tw::test
