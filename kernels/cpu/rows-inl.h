// Row-wise kernels over any vector type. Contracts: kernels/kernel_table.h.
#pragma once

#include <math.h>

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/math-inl.h"
#include "kernels/kernel_table.h"

namespace tw {
namespace {

// Accumulators that take turns.
constexpr int kParts = 4;
template <class V>
struct Parts {
  V of[kParts];
  TUWEN_INLINE explicit Parts(float all) {
    for (V& v : of) v = V(all);
  }
  TUWEN_INLINE V& operator[](int part) { return of[part]; }
  template <class F>
  TUWEN_INLINE V folded(F f) const {
    return f(f(of[0], of[1]), f(of[2], of[3]));
  }
};
template <class V>
TUWEN_INLINE float sum(const Parts<V>& parts) {
  return sum(parts.folded([](V a, V b) { return a + b; }));
}
template <class V>
TUWEN_INLINE float max_lane(const Parts<V>& parts) {
  return max_lane(parts.folded([](V a, V b) { return max(a, b); }));
}
template <class V>
TUWEN_INLINE float min_lane(const Parts<V>& parts) {
  return -max_lane(V(0.0f) - parts.folded([](V a, V b) { return min(a, b); }));
}

template <class V>
void layer_norm_kernel(const LayerNormArgs& p) {
  const float share = 1.0f / static_cast<float>(p.columns);
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.x_stride;
    float* y = p.y == nullptr ? nullptr : p.y + r * p.y_stride;
    uint16_t* y_bf16 = p.y_bf16 == nullptr ? nullptr : p.y_bf16 + r * p.y_bf16_stride;
    Parts<V> total(0.0f), squares(0.0f), rest(0.0f);
    for_each_vector_in_turn<V, kParts>(p.columns, [&](int64_t i, auto k, int part) {
      __builtin_prefetch(x + p.x_stride + i);  // another core may have written it
      total[part] = total[part] + V::load(x + i, k);
    });
    const V mean(sum(total) * share);
    for_each_vector_in_turn<V, kParts>(p.columns, [&](int64_t i, auto k, int part) {
      const V d = select(k, V::load(x + i, k) - mean, V(0.0f));
      squares[part] = fma(d, d, squares[part]);
      rest[part] = rest[part] + d;
    });
    // What rounding the mean has left: without it a row whose mean is 10^4 times its spread is lost.
    // (The corrected two-pass algorithm: Chan, Golub, LeVeque 1983.)
    const float shift = sum(rest) * share;
    const float variance = sum(squares) * share - shift * shift;
    const float inverse_sigma = 1.0f / ::sqrtf((variance < 0.0f ? 0.0f : variance) + p.epsilon);
    const V factor(inverse_sigma), offset(-shift * inverse_sigma);
    for_each_vector<V>(p.columns, [&](int64_t i, auto k) {
      const V normal = fma(V::load(x + i, k) - mean, factor, offset);
      const V result = fma(normal, V::load(p.gamma + i, k), V::load(p.beta + i, k));
      if (y != nullptr) result.store(y + i, k);
      if (y_bf16 != nullptr) store_bf16(y_bf16 + i, result, k);
    });
  }
}

// store(i, exp(x[i]), lanes) for a function that is something like it; returns the sum.
template <class V, class Exp, class Store>
TUWEN_INLINE float exponentials(const float* x, int64_t n, Exp exp, Store store) {
  V total[2] = {V(0.0f), V(0.0f)};
  for_each_vector_in_turn<V, 2>(n, [&](int64_t i, auto lanes, int part) {
    const V e = exp(V::load(x + i, lanes));
    store(i, e, lanes);
    total[part] = total[part] + select(lanes, e, V(0.0f));
  });
  return sum(total[0] + total[1]);
}

// y = exp(x - largest); returns the sum.
template <class V>
TUWEN_INLINE float exponentials(float* y, const float* x, int64_t n, float largest) {
  return exponentials<V>(
      x, n, [offset = V(largest)](V v) { return exp(v - offset); },
      [y](int64_t i, V e, auto lanes) { e.store(y + i, lanes); });
}

// The largest of scale * x; scale > 0.
template <class V>
TUWEN_INLINE float largest_scaled(const float* x, int64_t n, float scale) {
  Parts<V> largest(-HUGE_VALF);
  for_each_vector_in_turn<V, kParts>(n, [&](int64_t i, auto k, int part) {
    largest[part] = max(largest[part], select(k, V::load(x + i, k), V(-HUGE_VALF)));
  });
  return scale * max_lane(largest);
}

template <class V>
void softmax_kernel(const RowsArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.x_stride;
    float* y = p.y + r * p.y_stride;
    const float largest = largest_scaled<V>(x, p.columns, 1.0f);
    const V inverse(1.0f / exponentials<V>(y, x, p.columns, largest));
    for_each_vector<V>(p.columns, [&](int64_t i, auto k) { (V::load(y + i, k) * inverse).store(y + i, k); });
  }
}

template <class V>
void l2_normalize_kernel(const RowsArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = p.x + r * p.x_stride;
    float* y = p.y + r * p.y_stride;
    V squares(0.0f);
    for_each_vector<V>(p.columns, [&](int64_t i, auto k) {
      const V a = V::load(x + i, k);
      squares = fma(a, a, squares);
    });
    const V norm(::sqrtf(sum(squares)));
    for_each_vector<V>(p.columns, [&](int64_t i, auto k) { (V::load(x + i, k) / norm).store(y + i, k); });
  }
}

template <class V>
void activation_kernel(const RowsArgs& p) {
  for (int64_t r = 0; r < p.rows; ++r)
    activate_row<V>(p.activation, p.y + r * p.y_stride, p.x + r * p.x_stride, p.columns);
}

}  // namespace
}  // namespace tw
