// Attention in bf16 or f16 on tensor cores (mma.sync, sm_80 and newer): a warp has 16 queries, keys come in tiles of 64
// while the next tile is on its way, scores and sums are f32 (Dao 2023, arXiv:2307.08691). Groups of 16 keys and of 16
// queries that a sequence does not have cost nothing.
#include "kernels/cuda/geometry.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/online_softmax.h"

namespace tw::cuda {
namespace {

constexpr int kThreads = kTileQueries / 16 * kWarpSize;
constexpr int kKeyTiles = kTileKeys / 8;  // n of mma: 8 keys, or 8 columns of the result

// Rows [first, first + 64) of one head into rows of kPadded + 8 elements; zero behind `rows` and behind `width`.
template <int kPadded, bool kInSixteens>
__device__ __forceinline__ void load_rows(uint16_t* to, const uint16_t* from, int64_t stride, int64_t first,
                                          int64_t rows, int64_t width) {
  constexpr int kRow = kPadded + 8;
  if constexpr (kInSixteens) {
    constexpr int kChunks = kPadded / 8;
    for (int i = thread_x(); i < kTileKeys * kChunks; i += kThreads) {
      const int r = i / kChunks, c = i % kChunks * 8;
      const bool there = first + r < rows && c < width;
      copy_async<16>(to + r * kRow + c, there ? from + (first + r) * stride + c : from, there ? 16 : 0);
    }
  } else {
    for (int i = thread_x(); i < kTileKeys * kPadded; i += kThreads) {
      const int r = i / kPadded, c = i % kPadded;
      to[r * kRow + c] = first + r < rows && c < width ? from[(first + r) * stride + c] : uint16_t{0};
    }
  }
}

// scores[16, 64] = q k^T of one warp, for the first `groups` groups of 16 keys.
template <DType kType, int kPadded>
__device__ __forceinline__ void score(float (&scores)[kKeyTiles][4], const uint32_t (&q)[kPadded / 16][4],
                                      const uint16_t* ks, int groups) {
  constexpr int kRow = kPadded + 8;
  const int lane = lane_of(thread_x()), matrix = lane / 8;
#pragma unroll
  for (int group = 0; group < kTileKeys / 16; ++group) {
    if (group >= groups) break;
#pragma unroll
    for (int step = 0; step < kPadded / 16; ++step) {
      uint32_t k[4];
      ldmatrix_x4(k, ks + (group * 16 + matrix / 2 * 8 + lane % 8) * kRow + step * 16 + matrix % 2 * 8);
      mma<kType>(scores[2 * group], q[step], k[0], k[1]);
      mma<kType>(scores[2 * group + 1], q[step], k[2], k[3]);
    }
  }
}

// out[16, kPadded] += p v. Scores have become probabilities, whose layout as a result is that of a first operand.
template <DType kType, int kPadded>
__device__ __forceinline__ void weigh(float (&out)[kPadded / 8][4], const float (&p)[kKeyTiles][4], const uint16_t* vs,
                                      int groups) {
  constexpr int kRow = kPadded + 8;
  const int lane = lane_of(thread_x()), matrix = lane / 8;
#pragma unroll
  for (int group = 0; group < kTileKeys / 16; ++group) {
    if (group >= groups) break;
    const float(&left)[4] = p[2 * group], (&right)[4] = p[2 * group + 1];
    const uint32_t a[4] = {round_pair<kType>(left[0], left[1]), round_pair<kType>(left[2], left[3]),
                           round_pair<kType>(right[0], right[1]), round_pair<kType>(right[2], right[3])};
#pragma unroll
    for (int step = 0; step < kPadded / 16; ++step) {
      uint32_t v[4];
      ldmatrix_x4_transposed(v, vs + (group * 16 + matrix % 2 * 8 + lane % 8) * kRow + step * 16 + matrix / 2 * 8);
      mma<kType>(out[2 * step], a, v[0], v[1]);
      mma<kType>(out[2 * step + 1], a, v[2], v[3]);
    }
  }
}

// Two columns side by side, or as many as are left.
template <DType kType>
__device__ __forceinline__ void store(const AttentionBatchArgs& p, int64_t at, int64_t left, float first,
                                      float second) {
  if constexpr (kType == DType::bf16) {
    if (p.out_type == DType::e4m3) {
      auto* to = static_cast<uint8_t*>(p.out) + at;
      const uint32_t pair = round_e4m3_pair(first * p.out_factor, second * p.out_factor);
      if (left > 0) to[0] = static_cast<uint8_t>(pair);
      if (left > 1) to[1] = static_cast<uint8_t>(pair >> 8);
      return;
    }
  }
  auto* to = static_cast<uint16_t*>(p.out) + at;
  const uint32_t pair = round_pair<kType>(first, second);
  if (left > 0) to[0] = static_cast<uint16_t>(pair);
  if (left > 1) to[1] = static_cast<uint16_t>(pair >> 16);
}

template <DType kType, int kPadded, bool kInSixteens>
__global__ void __launch_bounds__(kThreads, attention_half_blocks(kPadded))
    attention_half_kernel(AttentionBatchArgs p) {
  after_earlier_kernels();
  constexpr int kRow = kPadded + 8, kTile = kTileKeys * kRow;
  TUWEN_SHARED_DYNAMIC(shared);
  auto* qs = reinterpret_cast<uint16_t*>(shared);
  uint16_t *ks = qs + kTile, *vs = ks + 2 * kTile;
  const int64_t tiles = ceil_div(p.most_queries, int64_t{kTileQueries}), block = static_cast<int64_t>(blockIdx.x);
  const int64_t head = block / tiles % p.heads, item = block / (tiles * p.heads);
  const Sequence s = p.sequences[item];
  const int64_t first = block % tiles * kTileQueries;
  if (first >= s.queries) return;
  const auto* q = static_cast<const uint16_t*>(p.q) + s.first_query * p.q_stride + head * p.width;
  const auto* k = static_cast<const uint16_t*>(p.k) + s.first_key * p.k_stride + head * p.key_head_step;
  const auto* v = static_cast<const uint16_t*>(p.v) + s.first_key * p.v_stride + head * p.key_head_step;
  const int lane = lane_of(thread_x()), in_group = lane % 4, mine = warp_of(thread_x()) * 16;
  const bool asks = first + mine < s.queries;  // the same for a whole warp

  uint32_t query[kPadded / 16][4] = {};
  float out[kPadded / 8][4] = {}, largest[2] = {-HUGE_VALF, -HUGE_VALF}, total[2] = {};
  load_rows<kPadded, kInSixteens>(qs, q, p.q_stride, first, s.queries, p.width);
  load_rows<kPadded, kInSixteens>(ks, k, p.k_stride, 0, s.keys, p.width);
  load_rows<kPadded, kInSixteens>(vs, v, p.v_stride, 0, s.keys, p.width);
  copies_commit();

  for (int64_t key0 = 0; key0 < s.keys; key0 += kTileKeys) {
    const int now = static_cast<int>(key0 / kTileKeys % 2), next = 1 - now;
    copies_wait<0>();
    __syncthreads();  // this tile is there for all, and all are done with the one before
    if (key0 + kTileKeys < s.keys) {
      load_rows<kPadded, kInSixteens>(ks + next * kTile, k, p.k_stride, key0 + kTileKeys, s.keys, p.width);
      load_rows<kPadded, kInSixteens>(vs + next * kTile, v, p.v_stride, key0 + kTileKeys, s.keys, p.width);
    }
    copies_commit();
    if (!asks) continue;
    if (key0 == 0) {
#pragma unroll
      for (int step = 0; step < kPadded / 16; ++step)
        ldmatrix_x4(query[step], qs + (mine + lane % 16) * kRow + step * 16 + lane / 16 * 8);
    }
    const int64_t left = s.keys - key0;
    const int groups = left >= kTileKeys ? kTileKeys / 16 : static_cast<int>(ceil_div(left, int64_t{16}));
    float scores[kKeyTiles][4] = {};
    score<kType, kPadded>(scores, query, ks + now * kTile, groups);

#pragma unroll
    for (int half = 0; half < 2; ++half) {  // rows lane / 4 and lane / 4 + 8
      const float before = largest[half];
      float most = -HUGE_VALF;
#pragma unroll
      for (int i = 0; i < kKeyTiles * 2; ++i) {
        float& x = scores[i / 2][half * 2 + i % 2];
        x = i / 2 * 8 + in_group * 2 + i % 2 < left ? x * p.scale : -HUGE_VALF;
        most = fmaxf(most, x);
      }
      largest[half] = fmaxf(before, quad_max(most));
      const float shift = shift_of(largest[half]), fading = expf(before - shift);
      total[half] *= fading;
#pragma unroll
      for (int i = 0; i < kKeyTiles * 2; ++i) {
        float& x = scores[i / 2][half * 2 + i % 2];
        x = expf(x - shift);
        total[half] += x;
      }
#pragma unroll
      for (int i = 0; i < kPadded / 8 * 2; ++i) out[i / 2][half * 2 + i % 2] *= fading;
    }
    weigh<kType, kPadded>(out, scores, vs + now * kTile, groups);
  }
  if (!asks) return;

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t row = first + mine + lane / 4 + half * 8;
    const float sum = quad_sum(total[half]);
    if (row >= s.queries) continue;
    const int64_t at = (s.first_query + row) * p.out_stride + head * p.width;
#pragma unroll
    for (int i = 0; i < kPadded / 8; ++i) {
      const int64_t c = i * 8 + in_group * 2;
      store<kType>(p, at + c, p.width - c, out[i][half * 2] / sum, out[i][half * 2 + 1] / sum);
    }
  }
}

template <DType kType, int kPadded>
void start(Stream stream, const AttentionBatchArgs& p) {
  const auto whole = [](const void* data, int64_t stride) {
    return reinterpret_cast<uintptr_t>(data) % 16 == 0 && stride % 8 == 0;
  };
  const bool in_sixteens = whole(p.q, p.q_stride) && whole(p.k, p.k_stride) && whole(p.v, p.v_stride) &&
                           p.width % 8 == 0 && p.key_head_step % 8 == 0;
  launch(attention_half_geometry(p.items, p.heads, p.most_queries, p.width), stream,
         in_sixteens ? attention_half_kernel<kType, kPadded, true> : attention_half_kernel<kType, kPadded, false>, p);
}

template <DType kType>
void start(Stream stream, const AttentionBatchArgs& p) {
  switch (padded_head_width(p.width)) {
    case 16:
      return start<kType, 16>(stream, p);
    case 32:
      return start<kType, 32>(stream, p);
    case 48:
      return start<kType, 48>(stream, p);
    case 64:
      return start<kType, 64>(stream, p);
    case 80:
      return start<kType, 80>(stream, p);
    case 96:
      return start<kType, 96>(stream, p);
    case 112:
      return start<kType, 112>(stream, p);
    default:  // kWidestDeviceHead
      return start<kType, 128>(stream, p);
  }
}

}  // namespace

void attention_half(Stream stream, const AttentionBatchArgs& p) {
  p.type == DType::f16 ? start<DType::f16>(stream, p) : start<DType::bf16>(stream, p);
}

}  // namespace tw::cuda
