// Products in bf16, f16 and E4M3: what every kernel for them has to do, however it has its weights packed.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/checked_math.h"
#include "core/dtype.h"
#include "kernels/cuda/geometry.h"
#include "tests/cuda/kernels_under_test.h"
#include "tests/cuda/under_test.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace tw::test {

inline constexpr DType kNarrow[] = {DType::bf16, DType::f16, DType::e4m3};

// k in whole lines of activations.
inline int64_t depth_of(DType type, int64_t k) { return round_up(k * size_of(type), kDepthBytes) / size_of(type); }

// Element i of an array of the type.
inline void put(uint8_t* array, DType type, int64_t i, float v) {
  if (type == DType::e4m3) {
    array[i] = f32_to_e4m3(v);
  } else if (type == DType::f32) {
    std::memcpy(array + i * 4, &v, 4);
  } else {
    const uint16_t half = type == DType::bf16 ? f32_to_bf16(v) : f32_to_f16(v);
    std::memcpy(array + i * 2, &half, 2);
  }
}

// A matrix of numbers that the type holds, as products read it: rows `stride` elements apart, at the end of a page.
inline Guarded<uint8_t> rounded(DType type, const std::vector<float>& x, int64_t rows, int64_t k, int64_t stride) {
  std::vector<uint8_t> bytes(static_cast<size_t>(rows * stride * size_of(type)));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < k; ++c) put(bytes.data(), type, r * stride + c, x[static_cast<size_t>(r * k + c)]);
  Guarded<uint8_t> memory(std::ssize(bytes), bytes);
  memory.freeze();
  return memory;
}

// Weights [n, k] in strips, groups of four bytes of k for each column; nothing is in front of the first.
inline std::vector<uint8_t> strips_of(DType type, const std::vector<float>& w, int64_t n, int64_t k, int64_t = 0) {
  const int64_t each = size_of(type), group = 4 / each, depth = depth_of(type, k);
  std::vector<uint8_t> packed(static_cast<size_t>(round_up(n, kStrip) * depth * each));
  for (int64_t c = 0; c < n; ++c)
    for (int64_t i = 0; i < k; ++i)
      put(packed.data(), type, c / kStrip * kStrip * depth + (i / group * kStrip + c % kStrip) * group + i % group,
          w[static_cast<size_t>(c * k + i)]);
  return packed;
}

// y = x W^T in f32, dense rows on either side.
inline LinearNarrowArgs plain_product(DType type, const uint8_t* x, const std::vector<uint8_t>& packed, float* y,
                                      int64_t rows, int64_t columns, int64_t k) {
  return {.type = type,
          .x = x,
          .x_stride = k,
          .weights = packed.data(),
          .scale = nullptr,
          .bias = nullptr,
          .y = y,
          .y_type = DType::f32,
          .y_factor = 1.0f,
          .y_stride = columns,
          .rows = rows,
          .columns = columns,
          .k = k,
          .activation = Activation::linear,
          .add_to_output = false};
}

// One of the kernels. pack() packs weights [n, k] with room for `skipped` other columns in front of them.
struct NarrowProduct {
  void (*run)(const LinearNarrowArgs& p, int tile_rows);
  std::vector<uint8_t> (*pack)(DType type, const std::vector<float>& w, int64_t n, int64_t k, int64_t skipped);
};

inline void check_integers(const NarrowProduct& product) {
  Random random(2);
  const int64_t rows = 150, columns = 145, k = 70;
  const std::vector<float> x = random.integer_vector(rows * k), w = random.integer_vector(columns * k),
                           bias = random.integer_vector(columns), old = random.integer_vector(rows * columns);
  std::vector<float> scale(static_cast<size_t>(columns));
  for (float& s : scale) s = std::exp2(static_cast<float>(random.integer(-2, 2)));
  struct Case {
    int tile;
    int64_t x_gap, y_gap;
    DType y;  // e4m3 stands for the narrowest that the type has
    bool add;
    int64_t skipped = 0;  // where weights are in tiles
  };
  for (const DType type : kNarrow) {
    const int64_t depth = depth_of(type, k), group = 4 / size_of(type);
    for (const Case& c : {Case{cuda::kTallTile, 0, 3, DType::f32, false},
                          {cuda::kLowTile, 0, 3, DType::e4m3, false},
                          {cuda::kTallTile, group, 0, DType::e4m3, false},
                          {cuda::kLowTile, group, 3, DType::f32, true, 112},
                          {cuda::kTallTile, 0, 7, DType::f32, true},
                          {cuda::kTallTile, 0, 7, DType::e4m3, false, 16},
                          {cuda::kLowTile, 2 * group, 3, DType::bf16, false}}) {
      const std::vector<uint8_t> packed = product.pack(type, w, columns, k, c.skipped);
      const DType y_type = c.y == DType::f32 || type == DType::e4m3 ? c.y : type;
      const int64_t stride = columns + c.y_gap;
      const Guarded<uint8_t> xs = rounded(type, x, rows, k, depth + c.x_gap);
      std::vector<uint8_t> y(static_cast<size_t>(rows * stride * size_of(y_type)), 0x7F), expected = y;
      if (c.add)
        for (int64_t i = 0; i < rows * columns; ++i)
          put(y.data(), y_type, i / columns * stride + i % columns, old[static_cast<size_t>(i)]);
      product.run({.type = type,
                   .x = xs.data(),
                   .x_stride = depth + c.x_gap,
                   .weights = packed.data(),
                   .scale = type == DType::e4m3 ? scale.data() : nullptr,
                   .bias = bias.data(),
                   .y = y.data(),
                   .y_type = y_type,
                   .y_factor = 0.5f,
                   .y_stride = stride,
                   .rows = rows,
                   .columns = columns,
                   .k = depth,
                   .activation = c.add ? Activation::linear : Activation::relu,
                   .add_to_output = c.add,
                   .skipped = product.pack == strips_of ? 0 : c.skipped},
                  c.tile);
      for (int64_t m = 0; m < rows; ++m) {
        for (int64_t n = 0; n < columns; ++n) {
          float sum = 0;
          for (int64_t i = 0; i < k; ++i) sum += x[static_cast<size_t>(m * k + i)] * w[static_cast<size_t>(n * k + i)];
          if (type == DType::e4m3) sum *= scale[static_cast<size_t>(n)];
          sum += bias[static_cast<size_t>(n)];
          sum = c.add ? sum + old[static_cast<size_t>(m * columns + n)] : std::max(sum, 0.0f);
          put(expected.data(), y_type, m * stride + n, y_type == DType::e4m3 ? 0.5f * sum : sum);
        }
      }
      CAPTURE(name(type), name(y_type), c.tile, c.x_gap, c.y_gap, c.add, c.skipped);
      CHECK(y == expected);
    }
  }
}

inline void check_bits(const NarrowProduct& under_test) {
  Random random(3);
  const int64_t rows = 130, columns = 144, k = 256;  // more steps than stages
  const std::vector<float> x = random.normal_vector(rows * k), w = random.normal_vector(columns * k);
  for (const DType type : kNarrow) {
    CAPTURE(name(type));
    const std::vector<uint8_t> packed = under_test.pack(type, w, columns, k, 0);
    const Guarded<uint8_t> xs = rounded(type, x, rows, k, k);
    const auto product = [&](int64_t first, int64_t count, int tile) {
      std::vector<float> y(static_cast<size_t>(count * columns), NAN);
      LinearNarrowArgs args =
          plain_product(type, xs.data() + first * k * size_of(type), packed, y.data(), count, columns, k);
      args.activation = Activation::quick_gelu;
      under_test.run(args, tile);
      return y;
    };
    const uint64_t conflicts = bank_conflicts();
    const std::vector<float> all = product(0, rows, cuda::kTallTile);
    CHECK(bank_conflicts() == conflicts);
    in_every_order([&] {
      CHECK(product(0, rows, cuda::kTallTile) == all);
      CHECK(product(0, rows, cuda::kLowTile) == all);
    });
    for (const int64_t row : {0, 77, 129}) {
      const std::vector<float> one = product(row, 1, cuda::kLowTile);
      CHECK(std::equal(one.begin(), one.end(), all.begin() + row * columns));
    }
  }
}

}  // namespace tw::test
