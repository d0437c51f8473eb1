// Attention with masks, relative positions and head factors, and with its weights for the caller. The same tiles as
// attention-inl.h; what is added to the scores is added row by row while they are in L1.
#pragma once

#include <float.h>

#include "kernels/cpu/attention-inl.h"

namespace tw {
namespace {

// row[j] += (q + k[j]) . e[j], the k[j] only if the keys take part.  One product of vectors a key: tables of relative
// positions belong to texts, where this is little beside the rest.
template <class V>
TUWEN_INLINE void add_distances(float* row, const AttentionFullArgs& full, int64_t query) {
  const AttentionArgs& p = full.base;
  const float* q = p.q + query * p.q_stride;
  const float* e = full.distances + (full.distance_of_first + query * full.distance_step) * p.width;
  for (int64_t j = 0; j < p.keys; ++j, e -= p.width) {
    const float* k = p.k + j * p.k_stride;
    V total(0.0f);
    for_each_vector<V>(p.width, [&](int64_t c, auto lanes) {
      const V asks = full.distances_of_keys ? V::load(q + c, lanes) + V::load(k + c, lanes) : V::load(q + c, lanes);
      total = total + select(lanes, asks * V::load(e + c, lanes), V(0.0f));
    });
    row[j] += sum(total);
  }
}

// row = scale row + bias.
template <class V>
TUWEN_INLINE void add_bias(float* row, const AttentionFullArgs& full, int64_t query) {
  const int64_t keys = full.base.keys;
  const V scale(full.base.scale);
  if (full.bias == nullptr) {
    for_each_vector<V>(keys, [&](int64_t j, auto lanes) { (V::load(row + j, lanes) * scale).store(row + j, lanes); });
  } else {
    const float* bias = full.bias + query * full.bias_stride;
    for_each_vector<V>(keys, [&](int64_t j, auto lanes) {
      (V::load(row + j, lanes) * scale + V::load(bias + j, lanes)).store(row + j, lanes);
    });
  }
  if (!full.causal) return;
  for (int64_t j = full.causal_first + query + 1; j < keys; ++j)
    if (row[j] == row[j]) row[j] = -FLT_MAX;  // a score that is NaN stays one, as if the lowest f32 had been added
}

template <class V, int MaxNS>
void attention_full_kernel(const AttentionFullArgs& full) {
  const int64_t keys = full.base.keys;
  attend<V, MaxNS>(full.base, [&](float* row, int64_t query) {
    if (full.distances != nullptr) add_distances<V>(row, full, query);
    add_bias<V>(row, full, query);
    const float largest = largest_scaled<V>(row, keys, 1.0f);
    const float factor = full.head_scale / exponentials<V>(row, row, keys, largest);
    if (full.weights != nullptr) {
      float* weights = full.weights + query * full.weights_stride;
      for_each_vector<V>(
          keys, [&](int64_t j, auto lanes) { (V::load(row + j, lanes) * V(factor)).store(weights + j, lanes); });
    }
    return factor;
  });
}

}  // namespace
}  // namespace tw
