// The kernel table: every arithmetic operation of the runtime, as a plain function over raw pointers.  Read this first.
//
// `reference` (kernels/reference/, plain loops in double) fills every entry and is the executable specification; avx2
// and avx512 start from it and override. A kernel is single-threaded, allocates nothing, checks nothing and may read
// and write only what its contract names: kernels/ops*.cpp checks, slices the work and calls it from every thread of a
// team.
//
// Rules for all entries: rows are `stride` floats apart and at least as long as the row; no alignment is required
// unless said; zero rows or columns are a no-op. How a sum is ordered depends on the lengths summed over and on the
// table, never on which rows or columns a call covers, so that any slicing gives the same bits. Accuracy: eps = 2^-24
// is the unit roundoff of f32; bounds are per element.
#pragma once

#include <cstdint>

#include "kernels/activation.h"

namespace tw {

// Packed weights: columns in strips of kStrip, the last one padded with zeros, 64-byte aligned; a strip is a sequence
// of 64-byte lines that hold one group of 4 bytes of k for each of its columns: [k][kStrip] f32, [k / 2][kStrip][2]
// bf16, [k / 4][kStrip][4] s8. Groups of bf16 and s8 come in whole lines of activations: k is padded with zeros to
// kDepthBytes. See kernels/pack.h.
constexpr int64_t kStrip = 16;
constexpr int64_t kDepthBytes = 64;
// k in elements of two bytes (bf16) or of one (u8, s8) as products need it.
constexpr int64_t bf16_depth(int64_t k) { return (k + 31) / 32 * 32; }
constexpr int64_t int8_depth(int64_t k) { return (k + 63) / 64 * 64; }
// Columns that one unit of work of a matrix product covers: the widest register tile.
constexpr int64_t kPanel = 4 * kStrip;

// Products in f32 sum over ranges of k, fused and ascending, and then add these sums up in order. Where the range that
// begins at `first` ends; the last one takes what is left for it and less than half a range more.
constexpr int64_t kSumRange = 192;
constexpr int64_t end_of_sum(int64_t first, int64_t k) { return k - first < kSumRange * 3 / 2 ? k : first + kSumRange; }

// y[m, n] = f(sum_k x[m, k] w[n, k] + bias[n])        f = activation
// y[m, n] = (sum_k x[m, k] w[n, k] + bias[n]) + y[m, n]   if add_to_output; activation must be linear
// The sums of f32 (end_of_sum), then the bias, then y, are added.
//
// |y - y_ref| <= (K + 2) eps (sum_k |x w| + |bias| + |y|) before f, and as `activation` below after it.
// y must not overlap x.
struct LinearArgs {
  const float* x;  // [rows, k]
  int64_t x_stride;
  const float* weights;  // packed strips of the columns asked for
  const float* bias;     // [columns] or null
  float* y;              // [rows, columns]
  int64_t y_stride;
  int64_t rows, columns, k;
  Activation activation;
  bool add_to_output;
  const float* next = nullptr;  // weights that this thread will probably want after these: a hint, may be null
};

// `linear` by one level of Strassen's algorithm (1969, "Gaussian elimination is not optimal"), seven products of halves
// in the place of eight. A is one item's rows of x: its first ceil(rows / 2) rows are the upper half, and `depth`, half
// of k, columns the left one. B is the transpose of w, halved likewise; C is y.
//   M0 = (A11 + A22) (B11 + B22)   M1 = (A21 + A22) B11   M2 = A11 (B12 - B22)   M3 = A22 (B21 - B11)
//   M4 = (A11 + A12) B22   M5 = (A21 - A11) (B11 + B12)   M6 = (A12 - A22) (B21 + B22)
//   C11 = M0 + M3 - M4 + M6   C12 = M2 + M4   C21 = M1 + M3   C22 = M0 - M1 + M2 + M5, summed in the order of the M
// Weights come as the seven right factors. Where rows are odd the lower half lacks its last row, which counts as zeros.
//
// What may be added of a row is that row and its partner: an item's result depends on its own rows alone, all of them.
// |y - y_ref| <= (depth + 8) eps (the sum over its M of sum_k (|a| + |a'|) (|b| + |b'|), + |bias| + |y|) before f,
// where a and a', b and b' are what the factors add up.
constexpr int64_t kStrassenProducts = 7, kStrassenSums = 5;
// Some pairs of rows of an item, and the left factors that are sums, in the order M0, M1, M4, M5, M6: what
// strassen_sums writes and linear_strassen reads.
struct StrassenRows {
  const float *upper, *lower;  // [pairs, 2 depth], [lower_rows, 2 depth]
  int64_t x_stride;
  float* sums;  // kStrassenSums of [pairs, depth], sums_apart floats from one to the next
  int64_t sums_stride, sums_apart;
  int64_t pairs, lower_rows;  // lower_rows: pairs, or one less
  int64_t depth;
};
// The product of these, at most kStrassenPairs, with some columns of both halves.
struct LinearStrassenArgs {
  StrassenRows rows;
  const float* weights;  // packed strips [columns, depth], kStrassenProducts times, weights_apart floats apart
  int64_t weights_apart;
  const float* bias;         // of the left columns, that of the right ones `right` behind, or null
  float *y_upper, *y_lower;  // the left columns, the right ones `right` behind
  int64_t y_stride, right;
  int64_t columns;  // at most kStrassenColumns of each half
  Activation activation;
  bool add_to_output;
  float* scratch;               // kStrassenScratch floats, 64-byte aligned
  const float* next = nullptr;  // as for linear
};
constexpr int64_t kStrassenColumns = 4 * kPanel, kStrassenPairs = 160;
// Rows of what waits are not a divisor of 4 KiB apart: a load would seem to depend on the store to another row.
constexpr int64_t kStrassenStride = kStrassenColumns + kStrip;
constexpr int64_t kStrassenScratch = 4 * kStrassenPairs * kStrassenStride;  // floats

// The same product of bf16 numbers with f32 sums: x and the weights are taken as they are, pairs of k are added in an
// order of the table's own, and the result is rounded once more if y is bf16.
// |y - y_ref| <= 2 (K + 2) eps (sum_k |x w| + |bias| + |y|) before f; bf16: and 2^-8 |y_ref|. Denormal products may be
// 0.
struct LinearBf16Args {
  const uint16_t* x;         // [rows, k]
  int64_t x_stride;          // elements
  const uint16_t* weights;   // packed strips: [k / 2][kStrip][2]
  const float* bias;         // [columns] or null
  void* y;                   // [rows, columns] f32, or bf16 if y_is_bf16 and not add_to_output
  int64_t y_stride;          // elements
  int64_t rows, columns, k;  // k = bf16_depth(k)
  Activation activation;
  bool add_to_output;
  bool y_is_bf16 = false;
  const uint16_t* next = nullptr;  // as for linear
};

// Eight-bit products. Activations are u8 with a scale and a zero point a row, weights s8 with a scale a column.
//   y[m, n] = f(x_scale[m] w_scale[n] (sum_k x[m, k] w[n, k] - x_zero[m] w_sum[n]) + bias[n]), or added to y as for
//   linear; w_sum[n] = sum_k w[n, k]
// The sum is exact in 32 bits (k <= 32,768); the rest is f32 in the order written; rounded once more if y is bf16.
struct LinearInt8Args {
  const uint8_t* x;       // [rows, k]
  int64_t x_stride;       // bytes, a multiple of 4
  const float* x_scale;   // [rows]
  const int32_t* x_zero;  // [rows], 0 to 255
  const int8_t* weights;  // packed strips: [k / 4][kStrip][4]
  const float* w_scale;   // [columns], readable to a whole strip, as w_sum is
  const int32_t* w_sum;   // [columns]
  const float* bias;      // [columns] or null
  void* y;                // [rows, columns] f32, or bf16 if y_is_bf16 and not add_to_output
  int64_t y_stride;
  int64_t rows, columns, k;  // k = int8_depth(k)
  Activation activation;
  bool add_to_output;
  bool y_is_bf16 = false;
  const int8_t* next = nullptr;  // as for linear
};

// Rows of numbers as bytes, over the range that each row has:  v = x[r, c] multiplier[c]
//   low = min(0, min_c v), high = max(0, max_c v);   x_scale[r] = (high - low) / 255;   x_zero[r] = round(-low /
//   x_scale) y[r, c] = clamp(round(v / x_scale[r]) + x_zero[r], 0, 255)
// Columns up to y_columns are filled with 0. A row of zeros has scale 0; a NaN or infinity anywhere makes the scale
// NaN.
struct QuantizeArgs {
  const void* x;  // [rows, columns] f32, or bf16 if x_is_bf16
  int64_t x_stride;
  const float* multiplier;  // [columns] or null: 1
  uint8_t* y;               // [rows, y_columns]
  int64_t y_stride;         // bytes
  float* x_scale;           // [rows]
  int32_t* x_zero;          // [rows]
  int64_t rows, columns, y_columns;
  bool x_is_bf16 = false;
};

// Rows of bf16 as products in FP8 see them: y[r, c] = e4m3(factor x[r, c]) / factor, which bf16 holds exactly; factor
// is a power of two. Columns up to y_columns are filled with 0.
struct RoundE4m3Args {
  const uint16_t* x;  // [rows, columns]
  int64_t x_stride;
  uint16_t* y;  // [rows, y_columns]
  int64_t y_stride;
  int64_t rows, columns, y_columns;
  float factor;
};

// Scaled dot-product attention of one head and one sequence (Vaswani et al. 2017, arXiv:1706.03762, eq. 1):
//   out[i, :] = sum_j p[i, j] v[j, :],   p[i, :] = softmax_j(scale q[i, :] . k[j, :])
// Softmax subtracts the row's maximum; rows of out are divided by the sum at the end. Of more than kAttentionWholeRows
// keys no whole score rows are kept: blocks of keys are summed in order, and what is there is scaled by e^(old - new)
// where a block raises the maximum.
// |out - ref| <= (2 (width + 4) S + keys + 16) eps sum_j p |v|, with S = scale max_j sum |q k_j|.
// out must not overlap the inputs.
struct AttentionArgs {
  const float *q, *k, *v;  // q [queries, width], k and v [keys, width]: the head's columns
  int64_t q_stride, k_stride, v_stride;
  float* out;  // [queries, width]
  int64_t out_stride;
  int64_t queries, keys, width;
  float scale;     // > 0
  float* scratch;  // attention_scratch(keys, width) floats, 64-byte aligned
};
// Room for K and V packed in strips and for the score rows of one tile of queries.
constexpr int64_t kAttentionRows = 24;
constexpr int64_t kAttentionWholeRows = 1024;  // keys
// Where the block of keys that begins at `first` ends; the last one takes what is left for it and less than half a
// block more.
constexpr int64_t kKeyBlock = 256, kMostKeysInBlock = kKeyBlock * 3 / 2;
constexpr int64_t end_of_key_block(int64_t first, int64_t keys) {
  return keys - first < kMostKeysInBlock ? keys : first + kKeyBlock;
}
constexpr int64_t attention_scratch(int64_t keys, int64_t width) {
  const int64_t keys_padded = (keys + kStrip - 1) / kStrip * kStrip,
                width_padded = (width + kStrip - 1) / kStrip * kStrip;
  return keys_padded * width + keys * width_padded + kAttentionRows * keys_padded;
}

// Attention with everything that a model may add to it, of one head and one sequence:
//   out[i, :] = sum_j w[i, j] v[j, :],   w[i, :] = head_scale softmax_j(s[i, j])
//   s[i, j] = scale (q[i, :] . k[j, :] + (q[i, :] + k[j, :]) . e[i, j]) + bias[i, j]
//   e[i, j] = distances[distance_of_first + i distance_step - j, :], without k[j, :] unless distances_of_keys
// A causal query i sees keys up to causal_first + i: behind them the bias is the lowest f32. s is rounded to f32 once
// the bias is in, so that the lowest f32 absorbs any score of ordinary size and a row of nothing else is uniform.
// Where s or its row's maximum is not finite the row is what IEEE arithmetic makes of it: NaN.
// |out - ref| as for attention with S = scale max_j (sum |q k_j| + sum |(q + k_j) e|) + max_j |bias|, where the bias
// is not the lowest; |w - ref| <= (2 (width + 4) S + keys + 16) eps w.
struct AttentionFullArgs {
  AttentionArgs base;           // with its scratch
  const float* bias = nullptr;  // [queries, keys], or null: 0
  int64_t bias_stride = 0;      // 0: one row for all queries
  bool causal = false;
  int64_t causal_first = 0;
  const float* distances = nullptr;  // dense rows of `width`, or null: no such term
  int64_t distance_of_first = 0, distance_step = 0;
  bool distances_of_keys = false;
  float head_scale = 1.0f;
  float* weights = nullptr;  // w [queries, keys], rows weights_stride apart, or null: not wanted
  int64_t weights_stride = 0;
};

// Plain attention on bf16 numbers: scores, maxima and sums are f32, probabilities may be rounded to bf16 before they
// weigh values, rows of out are at the end. Rows of q, k and v begin at even addresses of elements (4 bytes).
// |out - ref| <= 2^-8 (1 + 1) sum_j p |v|, and twice what attention permits.
struct AttentionBf16Args {
  const uint16_t *q, *k, *v;  // as for attention
  int64_t q_stride, k_stride, v_stride;
  uint16_t* out;  // [queries, width]
  int64_t out_stride;
  int64_t queries, keys, width;
  float scale;     // > 0
  float* scratch;  // attention_bf16_scratch(keys, width) floats, 64-byte aligned
};
constexpr int64_t kAttentionBf16Rows = 32;
constexpr int64_t attention_bf16_scratch(int64_t keys, int64_t width) {
  const int64_t keys_padded = (keys + kStrip - 1) / kStrip * kStrip,
                width_padded = (width + kStrip - 1) / kStrip * kStrip;
  const int64_t packed = keys_padded * bf16_depth(width) + bf16_depth(keys) * width_padded,
                tile = kAttentionBf16Rows * (bf16_depth(width) + bf16_depth(keys));
  const int64_t as_bf16 = (packed + tile) / 2 + kAttentionBf16Rows * (keys_padded + width_padded),
                widened = attention_scratch(keys, width) + 2 * kAttentionRows * width_padded;
  return as_bf16 > widened ? as_bf16 : widened;
}

// Attention of one query a head without keys and values, where these are products of rows x:
//   q_h . (W_h x_j + b_h) = (W_h^T q_h) . x_j + q_h . b_h, whose last term is the same for all j and leaves softmax as
//   it is;   sum_j p_j (V_h x_j + c_h) = V_h (sum_j p_j x_j) + c_h, since the p_j add up to 1.
// The kernels of its steps; scores and the product with V_h are `linear`.

// u[c, h] = sum_i q[h width + i] w[h width + i, c] for c of [first, first + count)
// |u - u_ref| <= (width + 2) eps sum |q w|.
struct AbsorbKeysArgs {
  const float* q;        // [heads * width]
  const float* weights;  // packed strips of the weight matrix [heads * width, k]
  float* u;              // as packed weights of a product with `heads` columns; what lies behind the last head is 0
  int64_t heads, width;  // width: a multiple of kStrip
  int64_t k;
  int64_t first, count;
};

// Softmax down the columns, in place:   x[r, c] = exp(scale x[r, c] - max) / sum
// |x - ref| <= (4 max |scale x| + rows + 16) eps ref.
struct SoftmaxColumnsArgs {
  float* x;  // [rows, columns]
  int64_t x_stride;
  int64_t rows, columns;
  float scale;  // > 0
};

// y[h, c] = sum_r p[r, h] x[r, c], fused and ascending.   |y - y_ref| <= (rows + 1) eps sum |p x|.
struct WeighRowsArgs {
  const float* p;  // [rows, heads]
  int64_t p_stride;
  const float* x;  // [rows, columns]
  int64_t x_stride;
  float* y;  // [heads, columns]
  int64_t y_stride;
  int64_t rows, columns, heads;
};

// y[r, :] = (x[r, :] - mean) / sigma * gamma + beta,   sigma = sqrt(variance + epsilon); biased variance.
// The mean is corrected for its own rounding, so rows that hardly vary around a large mean are as good as others.
// y may be x.  |y - y_ref| <= 16 eps (|gamma| (1 + |x - mean| / sigma) (1 + 16 eps |mean| / sigma) + |beta|).
// y_bf16 gets the same numbers, rounded.
// Ba, Kiros, Hinton 2016, arXiv:1607.06450.
struct LayerNormArgs {
  const float* x;
  int64_t x_stride;
  const float *gamma, *beta;  // [columns]
  float* y;                   // or null
  int64_t y_stride;
  int64_t rows, columns;
  float epsilon;
  uint16_t* y_bf16 = nullptr;  // or null
  int64_t y_bf16_stride = 0;
};

// Row-wise operations y[r, :] = f(x[r, :]); y may be x.
//   softmax:       exp(x - max) / sum;   |y - y_ref| <= (max - x + columns / 8 + 8) eps y_ref
//   l2_normalize:  x / sqrt(sum x^2);    |y - y_ref| <= (columns / 16 + 8) eps |y_ref|, while sum x^2 is a normal f32;
//                  a zero row gives NaN, as the reference does
//   activation:    elementwise; |y - y_ref| <= 4e-7 max(1, |y_ref|)
struct RowsArgs {
  const float* x;
  int64_t x_stride;
  float* y;
  int64_t y_stride;
  int64_t rows, columns;
  Activation activation;  // used by `activation` alone
};

// y[r, :] = (word[ids[r], :] + type[type_ids[r], :]) + position[position_ids[r], :], in this order.
// Tables are dense [*, columns]; ids are valid.
struct EmbedArgs {
  const float *word, *type, *position;
  const int32_t *ids, *type_ids, *position_ids;  // [rows]
  float* y;
  int64_t y_stride;
  int64_t rows, columns;
};

// y[r, :] = y[r, :] + table[(first + r) % period, :].   table dense [period, columns].
struct AddPeriodicArgs {
  const float* table;
  int64_t period, first;
  float* y;
  int64_t y_stride;
  int64_t rows, columns;
};

// Patches of one image as rows of a matrix, in the order of a convolution weight [channel, y, x] flattened:
//   y[gy * grid_width + gx, (c * patch + py) * patch + px] = value(c, gy * patch + py, gx * patch + px)
// Rows [first_row, first_row + rows) of that matrix. Values are exact: no arithmetic.
struct PatchesArgs {
  const void* pixels;       // u8: RGB interleaved [height, width, 3]; f32: planar [channels, height, width]
  const float* table;       // u8 only: [3, 256], value(c, y, x) = table[c, pixel]
  int64_t width, height;    // pixels
  int64_t channels, patch;  // u8: channels = 3
  int64_t first_row, rows;  // of the patch matrix
  void* y;                  // [rows, channels * patch^2] f32, or bf16 if y_is_bf16
  int64_t y_stride;
  bool y_is_bf16 = false;
};

// y[m, n] = scale * sum_k x[m, k] z[n, k].   The order of the sum is the table's own.  |y - ref| <= 2 k eps scale sum|x
// z|.
struct SimilarityArgs {
  const float* x;  // [rows, k]
  int64_t x_stride;
  const float* z;  // [columns, k]
  int64_t z_stride;
  float* y;
  int64_t y_stride;
  int64_t rows, columns, k;
  float scale;
};

// Exact widening, or rounding to nearest even.
struct ConvertArgs {
  const void* from;
  void* to;
  int64_t count;
};

struct ResizePassArgs;  // kernels/resize.h

struct KernelTable {
  const char* name;  // what TUWEN_ISA calls it: "reference", "avx2", "avx2vnni", "avx512", ...
  void (*linear)(const LinearArgs&);
  void (*strassen_sums)(const StrassenRows&);
  void (*linear_strassen)(const LinearStrassenArgs&);
  void (*linear_bf16)(const LinearBf16Args&);
  void (*linear_int8)(const LinearInt8Args&);
  void (*quantize)(const QuantizeArgs&);
  void (*round_e4m3)(const RoundE4m3Args&);
  void (*attention)(const AttentionArgs&);
  void (*attention_full)(const AttentionFullArgs&);
  void (*attention_bf16)(const AttentionBf16Args&);
  void (*absorb_keys)(const AbsorbKeysArgs&);
  void (*softmax_columns)(const SoftmaxColumnsArgs&);
  void (*weigh_rows)(const WeighRowsArgs&);
  void (*layer_norm)(const LayerNormArgs&);
  void (*softmax)(const RowsArgs&);
  void (*l2_normalize)(const RowsArgs&);
  void (*activation)(const RowsArgs&);
  void (*embed)(const EmbedArgs&);
  void (*add_periodic)(const AddPeriodicArgs&);
  void (*patches_u8)(const PatchesArgs&);
  void (*patches_f32)(const PatchesArgs&);
  void (*similarity)(const SimilarityArgs&);
  void (*f16_to_f32)(const ConvertArgs&);
  void (*bf16_to_f32)(const ConvertArgs&);
  void (*f32_to_bf16)(const ConvertArgs&);
};

// Call only what query_cpu() allows.
const KernelTable& reference_table();
const KernelTable& avx2_table();
const KernelTable& avx2vnni_table();  // and AVX-VNNI for bytes
const KernelTable& avx512_table();
const KernelTable& avx512vnni_table();  // and AVX512_VNNI for bytes
const KernelTable& avx512bf16_table();  // and AVX512_BF16
const KernelTable& avx512amx_table();   // and AMX tiles for bf16 and bytes

}  // namespace tw
