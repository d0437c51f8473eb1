// Both passes of a resize on vectors of V::kRows lanes of 32 bits. Included by the ISA files only, after their type V.
//
// A product pixel * weight needs 31 bits, which no 16-bit multiply-add holds, so weights are split (ResizeGroup):
//   sum p * w = 2^16 * sum p * high + sum p * low.
// Of the first sum only the low 16 bits reach the result, so it may wrap in 16-bit lanes (u8 times i8, pairs added);
// the second is accumulated in 32 bits. Four neighbouring positions share one 32-bit lane as bytes p0 p1 p2 p3: the
// bytes as they are meet `high`, and masking or shifting gives the 16-bit pairs (p0, p2) and (p1, p3) that meet `even`
// and `odd`.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/resize_args.h"

namespace tw {
namespace {

constexpr int32_t kRoundingHalf = 1 << 21;

template <class V>
struct Accumulator {
  V high = V::zero();                     // 16-bit lanes, modulo 2^16
  V low = V::broadcast32(kRoundingHalf);  // 32-bit lanes

  [[gnu::always_inline]] void add(V bytes, V w_high, V w_even, V w_odd) {
    high = V::add16(high, V::multiply_add_u8_i8(bytes, w_high));
    const V even = V::bit_and(bytes, V::broadcast32(0x00FF00FF)), odd = V::template shift_right16<8>(bytes);
    low = V::add32(low, V::add32(V::multiply_add_i16(even, w_even), V::multiply_add_i16(odd, w_odd)));
  }

  // Not yet clamped to [0, 255].
  [[gnu::always_inline]] V sum() const {
    const V upper = V::add32(V::bit_and(high, V::broadcast32(-0x10000)), V::template shift_left32<16>(high));
    return V::template shift_right32<22>(V::add32(upper, low));
  }
};

// Transposes 4x4 lanes of 32 bits inside every 128-bit part.
template <class V>
[[gnu::always_inline]] inline void transpose4(V (&v)[4]) {
  const V a = V::unpack_low32(v[0], v[1]), b = V::unpack_high32(v[0], v[1]);
  const V c = V::unpack_low32(v[2], v[3]), d = V::unpack_high32(v[2], v[3]);
  v[0] = V::unpack_low64(a, c);
  v[1] = V::unpack_high64(a, c);
  v[2] = V::unpack_low64(b, d);
  v[3] = V::unpack_high64(b, d);
}

// Horizontal pass: V::kRows rows at once, one lane per row. Part l of a vector (128 bits) holds rows 4l to 4l + 3.
template <class V>
struct RowBlock {
  const uint8_t* src[V::kRows];
  uint8_t* dst[V::kRows];
  int rows;  // those beyond repeat the last one and are not stored
};

// 16 bytes at `offset` of rows 4l + j, l = 0 .. kParts - 1.
template <class V>
[[gnu::always_inline]] inline V load_parts(const uint8_t* const* rows, int j, int64_t offset) {
  const uint8_t* parts[V::kRows / 4];
  for (int l = 0; l < V::kRows / 4; ++l) parts[l] = rows[4 * l + j] + offset;
  return V::load128(parts);
}

// scratch[(g * kChannels + c) * kRows + row] = the four bytes of channel c of pixels 4g to 4g + 3.
template <class V, int kChannels>
inline void transpose_rows(const RowBlock<V>& block, int64_t width, uint8_t* scratch) {
  constexpr int kStep = kChannels == 3 ? 12 : 16;   // bytes of a row that one load uses
  constexpr int kVectors = kChannels == 3 ? 3 : 4;  // vectors that it gives
  const int64_t bytes = width * kChannels;
  alignas(16) uint8_t tail[V::kRows][16];
  const uint8_t* tails[V::kRows];
  for (int r = 0; r < V::kRows; ++r) tails[r] = tail[r];

  for (int64_t offset = 0; offset < bytes; offset += kStep) {
    const uint8_t* const* rows = block.src;
    int64_t at = offset;
    if (offset + 16 > bytes) {  // a load would leave the row
      const auto left = static_cast<size_t>(bytes - offset);
      for (int r = 0; r < V::kRows; ++r) {
        std::memset(tail[r], 0, 16);
        std::memcpy(tail[r], block.src[r] + offset, left);
      }
      rows = tails;
      at = 0;
    }
    V v[4];
    for (int j = 0; j < 4; ++j) {
      v[j] = load_parts<V>(rows, j, at);
      if constexpr (kChannels == 3) v[j] = V::rgb_to_planes(v[j]);
    }
    transpose4(v);
    for (int i = 0; i < kVectors; ++i) {
      v[i].store(scratch);
      scratch += sizeof(V);
    }
  }
}

// Sixteen result bytes of every row: v[i] holds byte i, one 32-bit lane per row.
template <class V>
inline void store_rows(const V (&v)[16], const RowBlock<V>& block, int64_t offset, int64_t bytes) {
  V quads[4];
  for (int q = 0; q < 4; ++q) {
    const V pair0 = V::pack_i32_i16(v[4 * q], v[4 * q + 1]), pair1 = V::pack_i32_i16(v[4 * q + 2], v[4 * q + 3]);
    quads[q] = V::transpose_bytes4(V::pack_i16_u8(pair0, pair1));
  }
  transpose4(quads);
  alignas(64) uint8_t lines[4][sizeof(V)];
  for (int j = 0; j < 4; ++j) quads[j].store(lines[j]);
  for (int r = 0; r < block.rows; ++r) {
    std::memcpy(block.dst[r] + offset, lines[r % 4] + r / 4 * 16, static_cast<size_t>(bytes));
  }
}

template <class V, int kChannels>
inline void resize_row_block(const RowBlock<V>& block, const ResizeTaps& taps, const uint8_t* scratch) {
  constexpr auto kSums = static_cast<size_t>(kChannels);
  constexpr int kPixels = 16;  // so that 16 * kChannels bytes are whole stores
  constexpr auto kVectorBytes = static_cast<int64_t>(sizeof(V));
  alignas(64) V results[kSums][16];
  V* const flat = &results[0][0];
  for (int64_t x0 = 0; x0 < taps.output_size; x0 += kPixels) {
    const int64_t left = taps.output_size - x0;
    const int pixels = left < kPixels ? static_cast<int>(left) : kPixels;
    for (int x = 0; x < pixels; ++x) {
      const ResizeWindow& window = taps.windows[x0 + x];
      const ResizeGroup* group = taps.groups + window.groups;
      const uint8_t* bytes = scratch + window.group_first / 4 * kChannels * kVectorBytes;
      Accumulator<V> sums[kSums];
      for (int32_t g = 0; g < window.group_count; ++g, ++group) {
        const V high = V::broadcast32(static_cast<int32_t>(group->high));
        const V even = V::broadcast32(static_cast<int32_t>(group->even));
        const V odd = V::broadcast32(static_cast<int32_t>(group->odd));
        for (int c = 0; c < kChannels; ++c, bytes += sizeof(V)) sums[c].add(V::load(bytes), high, even, odd);
      }
      for (int c = 0; c < kChannels; ++c) flat[x * kChannels + c] = sums[c].sum();
    }
    for (int i = pixels * kChannels; i < 16 * kChannels; ++i) flat[i] = V::zero();
    for (int k = 0; k < kChannels && 16 * k < pixels * kChannels; ++k) {
      const int64_t bytes = pixels * kChannels - 16 * k;
      store_rows<V>(results[k], block, x0 * kChannels + 16 * k, bytes < 16 ? bytes : 16);
    }
  }
}

template <class V>
inline void resize_horizontal(const ResizeHorizontalArgs& args) {
  for (int64_t r0 = 0; r0 < args.rows; r0 += V::kRows) {
    RowBlock<V> block;
    block.rows = args.rows - r0 < V::kRows ? static_cast<int>(args.rows - r0) : V::kRows;
    for (int r = 0; r < V::kRows; ++r) {
      const int64_t row = r0 + (r < block.rows ? r : block.rows - 1);
      block.src[r] = args.src + row * args.src_stride;
      block.dst[r] = args.dst + row * args.dst_stride;
    }
    if (args.channels == 3) {
      transpose_rows<V, 3>(block, args.taps->source_size, args.scratch);
      resize_row_block<V, 3>(block, *args.taps, args.scratch);
    } else {
      transpose_rows<V, 1>(block, args.taps->source_size, args.scratch);
      resize_row_block<V, 1>(block, *args.taps, args.scratch);
    }
  }
}

// Vertical pass: sizeof(V) neighbouring bytes of a row at once. Interleaving four source rows puts the four bytes of a
// column in one lane; the packing at the end undoes the order that the interleaving leaves.
template <class V>
inline void resize_columns(const uint8_t* src, int64_t stride, const ResizeWindow& window, const ResizeGroup* groups,
                           uint8_t* dst) {
  Accumulator<V> sums[4];
  for (int32_t g = 0; g < window.group_count; ++g) {
    V rows[4];
    for (int j = 0; j < 4; ++j) {
      const int32_t row = 4 * g + j;  // past the window the weights are 0; any row inside it will do
      rows[j] = V::load(src + (row < window.count ? row : 0) * stride);
    }
    const V low01 = V::unpack_low8(rows[0], rows[1]), high01 = V::unpack_high8(rows[0], rows[1]);
    const V low23 = V::unpack_low8(rows[2], rows[3]), high23 = V::unpack_high8(rows[2], rows[3]);
    const V high = V::broadcast32(static_cast<int32_t>(groups[g].high));
    const V even = V::broadcast32(static_cast<int32_t>(groups[g].even));
    const V odd = V::broadcast32(static_cast<int32_t>(groups[g].odd));
    sums[0].add(V::unpack_low16(low01, low23), high, even, odd);
    sums[1].add(V::unpack_high16(low01, low23), high, even, odd);
    sums[2].add(V::unpack_low16(high01, high23), high, even, odd);
    sums[3].add(V::unpack_high16(high01, high23), high, even, odd);
  }
  const V low = V::pack_i32_i16(sums[0].sum(), sums[1].sum()), high = V::pack_i32_i16(sums[2].sum(), sums[3].sum());
  V::pack_i16_u8(low, high).store(dst);
}

template <class V>
inline void resize_vertical(const ResizeVerticalArgs& args) {
  constexpr int64_t kBytes = sizeof(V);
  if (args.row_bytes < kBytes) {
    resize_vertical_u8_reference(args);
    return;
  }
  for (int64_t y = 0; y < args.outputs; ++y) {
    const ResizeWindow& window = args.taps->windows[args.first_output + y];
    const ResizeGroup* groups = args.taps->groups + window.groups;
    const uint8_t* src = args.src + (window.first - args.src_first) * args.src_stride;
    uint8_t* dst = args.dst + y * args.dst_stride;
    int64_t b = 0;
    for (; b + kBytes <= args.row_bytes; b += kBytes)
      resize_columns<V>(src + b, args.src_stride, window, groups, dst + b);
    // The last vector overlaps the one before it: the same bytes are computed twice.
    if (b < args.row_bytes) {
      b = args.row_bytes - kBytes;
      resize_columns<V>(src + b, args.src_stride, window, groups, dst + b);
    }
  }
}

}  // namespace
}  // namespace tw
