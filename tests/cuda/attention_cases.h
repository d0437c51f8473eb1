// Attention of whole batches, sequences of different lengths back to back and heads side by side, held against an
// oracle.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>

#include "core/dtype.h"
#include "tests/cuda/kernels_under_test.h"
#include "tests/support/error_bound.h"
#include "tests/support/guarded.h"
#include "tests/support/oracle.h"
#include "tests/support/random.h"

namespace tw::test {

struct Batch {
  std::vector<int64_t> lengths;
  int64_t heads, width;

  int64_t rows() const {
    int64_t sum = 0;
    for (const int64_t l : lengths) sum += l;
    return sum;
  }
  std::vector<Sequence> sequences() const {
    std::vector<Sequence> all;
    for (int64_t row = 0; const int64_t l : lengths) all.push_back({row, l, row, l}), row += l;
    return all;
  }
};

// Attention of the batch in f32, bf16 or f16 within a bound relative to sum p |v|.
// kOut: the type of the result, e4m3 where q, k and v are bf16.
template <DType kType, DType kOut = kType>
void check_batch(const Batch& b, int64_t gap, double relative, uint64_t seed) {
  constexpr bool kHalf = kType != DType::f32;
  using T = std::conditional_t<kHalf, uint16_t, float>;
  const auto round = kType == DType::bf16 ? f32_to_bf16 : f32_to_f16;
  const auto widen = kType == DType::bf16 ? bf16_to_f32 : f16_to_f32;
  Random random(seed);
  const int64_t rows = b.rows(), columns = b.heads * b.width, stride = columns + gap;
  std::vector<std::vector<float>> values(3, random.normal_vector(rows * columns));
  std::vector<Guarded<T>> inputs;
  for (auto& v : values) {
    if (&v != &values[0]) v = random.normal_vector(rows * columns);
    Guarded<T> memory(rows * stride - gap);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        float& x = v[static_cast<size_t>(r * columns + c)];
        if constexpr (kHalf) {
          memory.data()[r * stride + c] = round(x);
          x = widen(round(x));
        } else {
          memory.data()[r * stride + c] = x;
        }
      }
    }
    memory.freeze();
    inputs.push_back(std::move(memory));
  }
  const std::vector<Sequence> sequences = b.sequences();
  using Out = std::conditional_t<kOut == DType::e4m3, uint8_t, T>;
  constexpr float kFactor = 64.0f;
  Guarded<Out> out(rows * columns);
  AttentionBatchArgs args{.type = kType,
                          .q = inputs[0].data(),
                          .k = inputs[1].data(),
                          .v = inputs[2].data(),
                          .q_stride = stride,
                          .k_stride = stride,
                          .v_stride = stride,
                          .out = out.data(),
                          .out_type = kOut,
                          .out_factor = kFactor,
                          .out_stride = columns,
                          .sequences = sequences.data(),
                          .items = std::ssize(sequences),
                          .heads = b.heads,
                          .width = b.width,
                          .most_queries = *std::max_element(b.lengths.begin(), b.lengths.end()),
                          .key_head_step = b.width,
                          .scale = 1.0f / std::sqrt(static_cast<float>(b.width))};
  attention_batch(args);
  CAPTURE(b.heads, b.width, gap, b.lengths);
  if (kOut != DType::e4m3) CHECK(out.unwritten() == 0);  // any byte is a number of E4M3
  CHECK(out.surroundings_intact());

  double worst = 0;
  for (const Sequence& s : sequences) {
    for (int64_t head = 0; head < b.heads; ++head) {
      const auto part = [&](size_t which) {
        Doubles d;
        for (int64_t r = 0; r < s.keys; ++r)
          for (int64_t c = 0; c < b.width; ++c)
            d.push_back(static_cast<double>(
                values[which][static_cast<size_t>((s.first_key + r) * columns + head * b.width + c)]));
        return d;
      };
      const Attention expected =
          attention(part(0), part(1), part(2), {}, s.queries, s.keys, b.width, static_cast<double>(args.scale));
      for (int64_t r = 0; r < s.queries; ++r) {
        for (int64_t c = 0; c < b.width; ++c) {
          const Out got = out.data()[(s.first_query + r) * columns + head * b.width + c];
          double value;
          if constexpr (kOut == DType::e4m3) {
            value = static_cast<double>(e4m3_to_f32(got) / kFactor);
          } else if constexpr (kHalf) {
            value = static_cast<double>(widen(got));
          } else {
            value = static_cast<double>(got);
          }
          const auto at = static_cast<size_t>(r * b.width + c);
          worst = std::max(worst, std::abs(value - expected.context[at]) / (relative * expected.magnitude[at]));
          if (std::isnan(value)) worst = HUGE_VAL;
        }
      }
    }
  }
  CHECK(worst <= 1.0);
}

}  // namespace tw::test
