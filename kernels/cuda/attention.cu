// Attention in f32, plain and with everything that a model may add to it. Keys come in tiles of 32, one a lane; the
// softmax runs along with them, so that no row of scores is kept.
#include <float.h>

#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/online_softmax.h"

namespace tw::cuda {
namespace {

constexpr int kThreads = kAttentionWarps * kWarpSize, kKeys = kWarpSize;
constexpr int kDepth = 64;           // columns of q and k at a time
constexpr int kKeyRow = kDepth + 1;  // lanes read one column of 32 rows: from 32 banks
constexpr int kParts = kOutChunk / kWarpSize;

__device__ __forceinline__ float score_terms(const AttentionBatchArgs& p, int64_t item, int64_t query, int64_t key) {
  if (p.causal && key > p.causal_first + query) return -FLT_MAX;
  return p.bias != nullptr ? p.bias[item * p.bias_item + query * p.bias_query + key] : 0.0f;
}

template <bool kFull>
__global__ void __launch_bounds__(kThreads, 3) attention_kernel(AttentionBatchArgs p) {
  after_earlier_kernels();
  TUWEN_SHARED(float, qs, kBlockQueries* kDepth);
  TUWEN_SHARED(float, ks, kKeys* kKeyRow);
  TUWEN_SHARED(float, vs, kKeys* kOutChunk);
  TUWEN_SHARED(float, weights, kBlockQueries* kKeys);
  const int64_t tiles = ceil_div(p.most_queries, int64_t{kBlockQueries}), block = static_cast<int64_t>(blockIdx.x);
  const int64_t head = block / tiles % p.heads, item = block / (tiles * p.heads);
  const Sequence s = p.sequences[item];
  const int64_t first = block % tiles * kBlockQueries, chunk = static_cast<int64_t>(blockIdx.y) * kOutChunk;
  if (first >= s.queries) return;
  const float* q = static_cast<const float*>(p.q) + (s.first_query + first) * p.q_stride + head * p.width;
  const float* k = static_cast<const float*>(p.k) + s.first_key * p.k_stride + head * p.key_head_step;
  const float* v = static_cast<const float*>(p.v) + s.first_key * p.v_stride + head * p.key_head_step;
  const int lane = lane_of(thread_x()), mine = warp_of(thread_x()) * kWarpQueries;  // first query of this warp
  const auto row_of_weights = [&](int i) {
    return p.weights + ((item * p.heads + head) * s.queries + first + mine + i) * s.keys;
  };
  const bool keep = kFull && p.weights != nullptr && chunk == 0;

  float out[kWarpQueries][kParts] = {}, largest[kWarpQueries], total[kWarpQueries] = {};
  for (int i = 0; i < kWarpQueries; ++i) largest[i] = -HUGE_VALF;

  for (int64_t key0 = 0; key0 < s.keys; key0 += kKeys) {
    const int64_t key = key0 + lane;
    float score[kWarpQueries] = {};
    for (int64_t c0 = 0; c0 < p.width; c0 += kDepth) {
      __syncthreads();
      for (int i = thread_x(); i < kBlockQueries * kDepth; i += kThreads) {
        const int64_t r = i / kDepth, c = c0 + i % kDepth;
        qs[i] = first + r < s.queries && c < p.width ? q[r * p.q_stride + c] : 0.0f;
      }
      for (int i = thread_x(); i < kKeys * kDepth; i += kThreads) {
        const int64_t r = i / kDepth, c = c0 + i % kDepth;
        ks[r * kKeyRow + i % kDepth] = key0 + r < s.keys && c < p.width ? k[(key0 + r) * p.k_stride + c] : 0.0f;
      }
      for (int i = thread_x(); c0 == 0 && i < kKeys * kOutChunk; i += kThreads) {
        const int64_t r = i / kOutChunk, c = chunk + i % kOutChunk;
        vs[i] = key0 + r < s.keys && c < p.width ? v[(key0 + r) * p.v_stride + c] : 0.0f;
      }
      __syncthreads();
      const int depth = p.width - c0 < kDepth ? static_cast<int>(p.width - c0) : kDepth;
      for (int c = 0; c < depth; ++c)
        for (int i = 0; i < kWarpQueries; ++i)
          score[i] = fmaf(qs[(mine + i) * kDepth + c], ks[lane * kKeyRow + c], score[i]);
      if constexpr (kFull) {
        for (int i = 0; p.distances != nullptr && i < kWarpQueries; ++i) {
          const int64_t query = first + mine + i;
          if (query >= s.queries || key >= s.keys) continue;
          const float* e = p.distances + (p.distance_of_first + query * p.distance_step - key) * p.width + c0;
          for (int c = 0; c < depth; ++c) {
            const float asks = qs[(mine + i) * kDepth + c] + (p.distances_of_keys ? ks[lane * kKeyRow + c] : 0.0f);
            score[i] = fmaf(asks, e[c], score[i]);
          }
        }
      }
    }

    for (int i = 0; i < kWarpQueries; ++i) {
      const int64_t query = first + mine + i;
      const bool there = key < s.keys && query < s.queries;
      float scaled = score[i] * p.scale;
      if constexpr (kFull) {
        if (there) scaled = scaled + score_terms(p, item, query, key);
        if (there && keep) row_of_weights(i)[key] = scaled;
      }
      const float before = largest[i];
      largest[i] = fmaxf(before, warp_max(there ? scaled : -HUGE_VALF));
      const float shift = shift_of(largest[i]), fading = expf(before - shift);
      const float weight = there ? expf(scaled - shift) : 0.0f;
      total[i] = fmaf(total[i], fading, weight);
      for (int part = 0; part < kParts; ++part) out[i][part] *= fading;
      weights[(mine + i) * kKeys + lane] = weight;
    }
    __syncwarp();
    const int count = s.keys - key0 < kKeys ? static_cast<int>(s.keys - key0) : kKeys;
    for (int j = 0; j < count; ++j)
      for (int i = 0; i < kWarpQueries; ++i)
        for (int part = 0; part < kParts; ++part)
          out[i][part] =
              fmaf(weights[(mine + i) * kKeys + j], vs[j * kOutChunk + part * kWarpSize + lane], out[i][part]);
  }

  const float head_scale = kFull && p.head_scale != nullptr ? p.head_scale[head] : 1.0f;
  for (int i = 0; i < kWarpQueries; ++i) {
    const int64_t query = first + mine + i;
    const float sum = warp_sum(total[i]);
    if (query >= s.queries) continue;
    float* row = static_cast<float*>(p.out) + (s.first_query + query) * p.out_stride + head * p.width;
    for (int part = 0; part < kParts; ++part) {
      const int64_t c = chunk + part * kWarpSize + lane;
      if (c < p.width) row[c] = out[i][part] / sum * head_scale;
    }
    for (int64_t key = lane; keep && key < s.keys; key += kWarpSize) {  // a lane's own scores
      float* weight = row_of_weights(i) + key;
      *weight = expf(*weight - shift_of(largest[i])) / sum * head_scale;
    }
  }
}

}  // namespace

void attention(Stream stream, const AttentionBatchArgs& p) {
  launch(attention_geometry(p.items, p.heads, p.most_queries, p.width), stream,
         p.full ? attention_kernel<true> : attention_kernel<false>, p);
}

}  // namespace tw::cuda
