// The table of a device: whole operations, put on a stream by one host thread. Where the CPU's table has kernels for
// slices that a team of threads shares (kernels/kernel_table.h), this one has an entry for what a model asks for: all
// rows, all heads of all sequences. Formulas, aliasing and accuracy are the kernel table's. Pointers are memory that
// the device reads: its own, or the host's where that is mapped for it.
//
// Packed weights of products are written by no entry: these may read them before what is in front of them on the stream
// is done.
//
// Entries return at once and report nothing: a device keeps its first error, and whoever waits for the stream gets it.
#pragma once

#include <cstddef>

#include "core/dtype.h"
#include "kernels/kernel_table.h"
#include "kernels/resize_args.h"

namespace tw {

// One sequence in a batch that is packed back to back.
struct Sequence {
  int64_t first_query, queries;  // rows of q and out
  int64_t first_key, keys;       // rows of k and v
};

// The product of numbers that tensor cores multiply, bf16, f16 or e4m3, with f32 sums:
//   y[m, n] = f(scale[n] sum_k x[m, k] w[n, k] + bias[n]), or added to y as for linear
// Accuracy and order of sums as for linear_bf16, with the unit roundoff of y's type; a device may keep but 14 bits of
// the sum of each 128 products of e4m3.
struct LinearNarrowArgs {
  DType type;           // of x and the weights
  const void* x;        // [rows, k]
  int64_t x_stride;     // elements
  const void* weights;  // packed strips, groups of 4 bytes of k: [k / 2][kStrip][2], or [k / 4][kStrip][4] of e4m3;
                        // or tiles (kernels/weight_tiles.h), where the table says so
  const float* scale;   // [columns], or null: 1
  const float* bias;    // [columns] or null
  void* y;              // [rows, columns]
  DType y_type;         // f32; if not add_to_output also `type`, and bf16 where `type` is e4m3
  float y_factor;       // e4m3: y holds y_factor times the result
  int64_t y_stride;     // elements
  int64_t rows, columns, k;  // k: whole lines of kDepthBytes
  Activation activation;
  bool add_to_output;
  int64_t skipped = 0;  // of tiles: columns of the first one in front of column 0, a multiple of kStrip
};

// attention, or attention_full where `full` is set, of every head of every sequence; heads lie side by side in q and
// out and key_head_step elements apart in k and v.
struct AttentionBatchArgs {
  DType type;  // of q, k and v: f32, or bf16 or f16 for attention_half
  const void *q, *k, *v;
  int64_t q_stride, k_stride, v_stride;
  void* out;
  DType out_type;    // `type`, or e4m3 where that is bf16
  float out_factor;  // e4m3: out holds out_factor times the result
  int64_t out_stride;
  const Sequence* sequences;  // [items], device memory
  int64_t items, heads, width;
  int64_t most_queries;  // of any sequence
  int64_t key_head_step;
  float scale;  // > 0
  bool full = false;
  // Only if full. AttentionFullArgs has the formulas, AttentionTerms (kernels/ops.h) the steps.
  const float* bias = nullptr;
  int64_t bias_item = 0, bias_query = 0;
  bool causal = false;
  int64_t causal_first = 0;
  const float* distances = nullptr;
  int64_t distance_of_first = 0, distance_step = 1;
  bool distances_of_keys = false;
  const float* head_scale = nullptr;  // [heads]
  float* weights = nullptr;           // dense [items, heads, queries, keys], of items of equal size
};

// patches_u8 or patches_f32 of several items; each item's rows of y begin `item_rows` rows apart, and if `class_row`
// with one of zeros.
struct PatchesBatchArgs {
  PatchesArgs item;  // the first one's; all patches from first_row on
  DType y_type;      // f32, bf16 or f16; what `item` says of it does not count
  int64_t items, item_rows;
  int64_t item_bytes;  // of pixels
  bool class_row;
};

// Where one axis of a picture's resize lies in what is staged, in bytes from its beginning.
struct ResizeAxisAt {
  int64_t windows;  // ResizeWindow of each output that is wanted; positions are those of the staged part of the source
  int64_t weights;  // int32_t
};
// One RGB picture of any size, and where in a square of `side` pixels it comes to lie.
struct ResizePicture {
  int64_t source;         // staged bytes [rows, columns, 3]
  int32_t rows, columns;  // that are needed
  ResizeAxisAt vertical, horizontal;
  int32_t top, left, height, width;  // of the outputs in the result
  int64_t between;                   // bytes [rows, width, 3] or [height, columns, 3] in `between`
  bool vertical_first;
};
// result[i, :, :, :] = both passes of picture i (kernels/resize_args.h), zeros where it has no outputs.
struct ResizeBatchArgs {
  const std::byte* staged;
  const ResizePicture* pictures;  // [count], device memory
  int64_t count;
  uint8_t* between;
  int64_t most_between;  // bytes of any picture
  uint8_t* result;       // [count, side, side, 3]
  int64_t side;
};

// layer_norm, where y_bf16 stands for a copy in any type that products read.
struct LayerNormBatchArgs {
  LayerNormArgs rows;
  DType copy_type;    // bf16, f16 or e4m3
  float copy_factor;  // e4m3: the copy holds copy_factor times the result
};

// y[i, :] = x[rows[i], :], or x[i, :] if rows is null; as it is, or rounded: from f32 to bf16 or f16, from bf16 to
// e4m3.
struct GatherRowsArgs {
  DType x_type;
  const void* x;
  int64_t x_stride;
  const int64_t* rows;  // device memory, or null: row i
  DType y_type;
  float y_factor;  // e4m3: y holds y_factor times the number
  void* y;
  int64_t y_stride;
  int64_t count, columns;
};

// x = f(x), row by row, in bf16 or f16: computed in f32 and rounded. What f16 holds as -inf counts as its lowest
// number, of which every activation is what it is of anything below.
struct ActivateArgs {
  DType type;
  void* x;
  int64_t x_stride;
  int64_t rows, columns;
  Activation activation;
};

// worst[r] = max_c |y - x| / (each |x| + row rms(x[r])), 0 where y is x; NaN where a number of x is not finite, and
// infinity where one of y alone is not.
struct CompareRowsArgs {
  DType type;  // f32, bf16 or f16
  const void *x, *y;
  int64_t stride;  // of both
  int64_t rows, columns;
  float each, row;
  float* worst;  // [rows]
};

// y[r, 0 : bytes] = 0.
struct ClearArgs {
  void* y;
  int64_t y_stride;  // bytes
  int64_t rows, bytes;
};

// Rows of heads side by side, as one dense block a head behind what it had before:
//   to[item, head, 0 : past, :] = before[item, head, :, :],   to[item, head, past + t, :] = x[item length + t, head d
//   ...]
// x [items length, heads d] f32, to [items, heads, past + length, d], before [items, heads, past, d].
struct HeadBlocks {
  float* to;
  const float* before;  // not read if past is 0
  int64_t items, heads, length, past;
};
struct StoreHeadsArgs {
  HeadBlocks blocks;
  const float* x;
  int64_t x_stride;
  int64_t width;  // d
};

// A stream of the device: a cudaStream_t.
using DeviceStream = void*;

// Of what attention_half takes; wider heads are attended to in f32.
constexpr int64_t kWidestDeviceHead = 128;

struct DeviceTable {
  const char* name;
  bool weights_in_tiles;  // of linear_narrow; else in strips
  void (*linear)(DeviceStream, const LinearArgs&);
  void (*linear_narrow)(DeviceStream, const LinearNarrowArgs&);
  void (*attention)(DeviceStream, const AttentionBatchArgs&);
  void (*attention_half)(DeviceStream, const AttentionBatchArgs&);
  void (*layer_norm)(DeviceStream, const LayerNormBatchArgs&);
  void (*softmax)(DeviceStream, const RowsArgs&);
  void (*l2_normalize)(DeviceStream, const RowsArgs&);
  void (*activation)(DeviceStream, const RowsArgs&);
  void (*activate)(DeviceStream, const ActivateArgs&);
  void (*compare_rows)(DeviceStream, const CompareRowsArgs&);
  void (*embed)(DeviceStream, const EmbedArgs&);
  void (*add_periodic)(DeviceStream, const AddPeriodicArgs&);
  void (*patches_u8)(DeviceStream, const PatchesBatchArgs&);
  void (*patches_f32)(DeviceStream, const PatchesBatchArgs&);
  void (*resize)(DeviceStream, const ResizeBatchArgs&);
  void (*gather_rows)(DeviceStream, const GatherRowsArgs&);
  void (*clear)(DeviceStream, const ClearArgs&);
  void (*store_heads)(DeviceStream, const StoreHeadsArgs&);
  void (*similarity)(DeviceStream, const SimilarityArgs&);
  void (*f16_to_f32)(DeviceStream, const ConvertArgs&);
  void (*bf16_to_f32)(DeviceStream, const ConvertArgs&);
  void (*f32_to_bf16)(DeviceStream, const ConvertArgs&);
  void (*f32_to_f16)(DeviceStream, const ConvertArgs&);
};

}  // namespace tw
