// The operations that models are written in. Every one is collective: all members of a team call it with the same
// arguments, each does its part, and it ends when all parts are done, so the next line may read what it wrote.
//
// Shapes must fit together; models guarantee that when they are built. Nothing here allocates or throws, but for trials
// of products on a device (kernels/product_choices.h).
// Formulas, aliasing and accuracy: kernels/kernel_table.h.
#pragma once

#include <atomic>
#include <span>

#include "core/buffer.h"
#include "core/checked_math.h"
#include "core/parallel.h"
#include "core/profile.h"
#include "core/tensor.h"
#include "kernels/device_table.h"
#include "kernels/kernel_table.h"
#include "kernels/pack.h"
#include "kernels/pack_int8.h"
#include "kernels/pack_strassen.h"
#include "kernels/product_choices.h"

namespace tw {

struct Linear;

// Sees the inputs of products, to choose how eight-bit ones are scaled. Called for each of `parts` parts of the
// columns, by several members at once.
struct ProductObserver {
  void (*see)(void* self, const Linear& w, Tensor x, int64_t part, int64_t parts);
  void* self;
};

// How a member executes: what it hands from operation to operation. One per member and region.
struct Exec {
  const KernelTable* kernels;
  Member member;
  WorkFront* front;
  float* scratch;                             // this member's own, for attention; 64-byte aligned
  const DeviceTable* device = nullptr;        // where operations run; null: here. The team is then one member
  DeviceStream stream = nullptr;              // of the device
  ProductLane products = {};                  // of the device, where the plan is fast
  int64_t to_device = 0;                      // bytes from what the host staged for operations to read (sequences,
                                              // rows, ids, pixels and their table) to the device's copy of it
  uint8_t* quantized = nullptr;               // shared: the input of an eight-bit product, as many rows as any op has;
                                              // or that of an FP8 product, as bf16
  float* quantized_scale = nullptr;           // shared: a scale for each of those rows
  int32_t* quantized_zero = nullptr;          // shared: a zero point for each of those rows
  float* strassen_sums = nullptr;             // shared: strassen_sums_floats() of the product at hand
  const ProductObserver* observer = nullptr;  // mostly nobody
  Profile* profile = nullptr;                 // mostly nobody
  OpPlace place = {};                         // where in the model this is, for the profile
  uint32_t sequence = 0;                      // operations so far
  // What is in `quantized`, and the operation that read it last: a product right behind it need not quantise again.
  struct Quantized {
    const void* x = nullptr;
    int64_t rows = 0, columns = 0, stride = 0;
    const float* multiplier = nullptr;
    uint32_t used_by = 0;

    bool operator==(const Quantized&) const = default;
  };
  Quantized in_quantized = {};

  // What follows belongs to this part of the model.
  void enter(const char* tower, int64_t layer = -1) { place.tower = tower, place.layer = layer; }

  // Every operation first says what it is, once for each for_each_unit(). cost() is called if there is a profile.
  template <class Cost>
  void begin(const char* op, Cost cost) {
    if (profile != nullptr) profile->begin(member, sequence, {place.tower, place.layer, op}, cost());
  }

  // Calls unit(i) for units of [0, count) claimed one by one, and returns when all are done. Who computes a unit never
  // changes its result, and a member that is held up holds nobody up for more than one unit.
  template <class Unit>
  void for_each_unit(int64_t count, Unit unit) {
    if (count <= 0) return;
    const uint32_t op = sequence++;
    const bool ended = front->work(op, count, member, unit);
    if (profile != nullptr) profile->done(member, op, ended);
    front->wait(op);
    if (profile != nullptr) profile->left(member, op);
  }
};

// A range of a packed weight matrix's outputs: y = x W^T + b.
struct LinearView {
  DType type;          // of the weights: f32, bf16, or i8
  const void* strips;  // f32 and bf16: packed, from the first column of the range
  Int8View int8;       // i8: the same
  const float* bias;   // [n] or null
  const float* scale;  // e4m3: [n], what sums are multiplied by
  int64_t n, k;
  const Linear* owner;
  int64_t skipped = 0;      // columns in front of the range in its first tile (LinearNarrowArgs)
  PlainWeights plain = {};  // the same weights, and bias, for a device's library
  int64_t item_rows = 0;    // what rows of x belong together by; for Linear::strassen alone
};

// What makes a product an FP8 one: powers of two.
struct Fp8Factors {
  float input = 0;  // its input is rounded to E4M3 after a multiplication by this; 0: it is no FP8 product
  Buffer weights;   // [n], the weights of each row likewise
  Buffer scale;     // [n], 1 / (input * weights): only of weights in a device's memory
};

// y = x W^T + b, owned, in f32, bf16 or eight bits.
struct Linear {
  PackedMatrix weights;     // [n, k]
  Buffer bias;              // [n] f32, or empty
  PackedInt8 int8;          // takes the place of `weights` in an eight-bit model
  PackedStrassen strassen;  // takes their place where the plan is fast; then only of_items() can be multiplied with
  Fp8Factors fp8;           // of an FP8 model, whose weights are bf16 on the grid of E4M3; on a device they are e4m3
  // Once more for a device's library, in its memory alone: weights row by row, and the bias in their type.
  PackedMatrix plain_rows;
  Buffer plain_bias;

  operator LinearView() const { return columns(0, weights.n()); }
  // Outputs [first, first + count); `first` a multiple of kStrip.
  LinearView columns(int64_t first, int64_t count) const {
    return {int8.bytes() == 0 ? weights.type() : DType::i8,
            weights.strip_at(first),
            int8.view(first),
            bias.size() == 0 ? nullptr : bias.as<float>() + first,
            fp8.scale.size() == 0 ? nullptr : fp8.scale.as<float>() + first,
            count,
            weights.k(),
            this,
            weights.skipped_at(first),
            {plain_rows.strip_at(first), plain_bias.size() == 0 ? nullptr : plain_bias.as<uint16_t>() + first}};
  }
  // All outputs, of items of so many rows.
  LinearView of_items(int64_t rows) const {
    LinearView all = *this;
    all.item_rows = rows;
    return all;
  }
};

// A tensor that holds the input of a product, for whatever writes it.
inline Tensor as_input_of(const Linear& w, Tensor t) {
  if (t.dtype == DType::e4m3) t.factor = w.fp8.input;
  return t;
}

// What attention works in where products read `type`; and whether it can write that itself.
constexpr DType narrow_attention(DType type) { return type == DType::e4m3 ? DType::bf16 : type; }
constexpr bool attention_writes(DType attention, DType type) { return attention == narrow_attention(type); }

struct LayerNorm {
  Buffer gamma, beta;  // [columns] f32
  float epsilon = 0;
};

// What happens to a product on its way to memory.
enum class Epilogue { store, add_to_output };

// y = f(x W^T + b), or y += x W^T + b.     x [rows, k], y [rows, n]
// The type of the weights is the type of the arithmetic. f32: x and y are f32. bf16: x is bf16, with room for
// bf16_depth(k) elements a row; FP8: the same, and x is rounded on the way. Eight bits: x is f32 or bf16 and is
// quantised on the way. y is f32, or bf16 if nothing is added to it. On a device also f16, as bf16, and e4m3: x is e4m3
// with the product's factor (as_input_of), y also bf16 or e4m3.
void linear(Exec& ex, Tensor y, Tensor x, LinearView w, Epilogue epilogue = Epilogue::store);
void linear(Exec& ex, Tensor y, Tensor x, LinearView w, Activation activation);

// y = LN(x), row by row; y is f32, and may be x, or bf16.
void layer_norm(Exec& ex, Tensor y, Tensor x, const LayerNorm& w);
// The same twice: y in f32, and `copy` in bf16 for products to read; where `copy` is y there is one. `next`: what reads
// `copy` in the next operation, or null; if that is an eight-bit product its input is quantised here, row by row.
void layer_norm(Exec& ex, Tensor y, Tensor copy, Tensor x, const LayerNorm& w, const Linear* next);

// out = softmax(q k^T / sqrt(d)) v for each sequence and head; head h is columns [h d, (h+1) d).   all [*, heads * d],
// all f32 or all bf16
void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads);

// What a model may add to attention. Zero is nothing. kernel_table.h has the formulas (AttentionFullArgs).
struct AttentionTerms {
  const float* bias = nullptr;            // added to the scores
  int64_t bias_item = 0, bias_query = 0;  // floats from one item or query to the next; 0: the same for all
  bool causal = false;                    // query i of an item sees keys up to causal_first + i
  int64_t causal_first = 0;
  const float* distances = nullptr;  // dense [*, d]: query i and key j meet in row distance_of_first + i step - j
  int64_t distance_of_first = 0, distance_step = 1;
  bool distances_of_keys = false;
  const float* head_scale = nullptr;  // [heads]
  float* weights = nullptr;           // wanted: dense [items, heads, queries, keys], of items of equal size
  int64_t key_head_step = 0;          // floats from one head to the next in k and v; 0: heads side by side in columns
};
// Attention with these, f32 alone.     q and out [*, heads * d]; k and v the same, or [*, d] with a key_head_step
void attention(Exec& ex, Tensor out, Tensor q, Tensor k, Tensor v, std::span<const Sequence> sequences, int64_t heads,
               const AttentionTerms& terms);

// Attention of one query a sequence whose keys and values are products of the rows x, without making them:
//   out_i = softmax(q_i (x W_k^T + b_k)^T / sqrt(d)) (x W_v^T + b_v), head by head; kernel_table.h has the algebra.
// Sequence i asks by row `first_query`, which counts up from one to the next, and of x.
//   q, out [*, heads * d], x [rows, k], all f32, as the weights are; d a multiple of kStrip
// room: absorbed_attention_floats() for these rows and sequences, 64-byte aligned; shared by the members. out may be
// x's memory where its row i is not in the rows of a later sequence.
void absorbed_attention(Exec& ex, Tensor out, Tensor q, Tensor x, LinearView keys, LinearView values,
                        std::span<const Sequence> sequences, int64_t heads, float* room);
// Whether it can take the place of these products and attention() where `ex` computes. An observer wants to see what
// the products would be fed.
inline bool can_absorb(const Exec& ex, const Linear& qkv, int64_t head_width) {
  return ex.device == nullptr && ex.observer == nullptr && LinearView(qkv).type == DType::f32 &&
         head_width % kStrip == 0;
}
int64_t absorbed_attention_floats(int64_t rows, int64_t sequences, int64_t width, int64_t heads);
// Rows of [*, 2 width] keys and values, in whole strips, that have the room for either.
int64_t rows_with_absorbed(int64_t rows, int64_t sequences, int64_t width, int64_t heads, DType type);

// Elements between rows of an activation, with room for the depth that products read: an odd number of cache lines, so
// that the same column of many rows does not fall into a few sets of the cache.
inline int64_t activation_stride(int64_t width, DType type) {
  const int64_t line = kDepthBytes / size_of(type);
  return (ceil_div(width, line) | 1) * line;
}
// Bytes between quantised rows, likewise.
inline int64_t quantized_stride(int64_t width) { return (int8_depth(width) / 64 | 1) * 64; }

// Floats that Exec::strassen_sums must hold for so many items of x [item_rows, k].
inline int64_t strassen_sums_floats(int64_t items, int64_t item_rows, int64_t k) {
  return kStrassenSums * items * ceil_div(item_rows, int64_t{2}) * activation_stride(k / 2, DType::f32);
}

// Floats that Exec::scratch must hold for it.
int64_t attention_scratch_floats(int64_t most_keys, int64_t head_width, DType type);

// y[i] = x[rows[i]], of the same type.
void gather_rows(Exec& ex, Tensor y, Tensor x, std::span<const int64_t> rows);

// y = x, row by row; y may be bf16 where x is f32.
void copy_rows(Exec& ex, Tensor y, Tensor x);

// Rows of heads side by side, x [items length, heads d] f32, as head blocks: kernels/device_table.h.
void store_heads(Exec& ex, const HeadBlocks& blocks, Tensor x);

// y = x / |x|, row by row; y may be x.
void l2_normalize(Exec& ex, Tensor y, Tensor x);

// y[r] = word[ids[r]] + type[type_ids[r]] + position[position_ids[r]].
void embed(Exec& ex, Tensor y, const float* word, const float* type, const float* position, const int32_t* ids,
           const int32_t* type_ids, const int32_t* position_ids);

// y[r] += table[r % period].     table dense [period, columns]
void add_periodic(Exec& ex, Tensor y, const float* table, int64_t period);

// Row 0 of every item is zero (the class token's place), rows 1.. are the patches of that item's pixels.
//   y [items * (1 + grid), channels * patch^2], f32 or bf16
struct PatchSource {
  const void* pixels;  // items one after the other
  bool u8;             // RGB bytes [items, height, width, 3], else planar f32 [items, channels, height, width]
  const float* table;  // [3, 256], u8 only
  int64_t height, width, channels, patch;
  bool resident = false;  // pixels are a device's already
};
void patches(Exec& ex, Tensor y, int64_t items, const PatchSource& source);

// On a device alone: bytes of pictures of any size for patches(). `staged` and `pictures` are the host's.
void resize(Exec& ex, const ResizeBatchArgs& pictures);

// y[m, n] = scale x[m] . z[n]
void similarity(Exec& ex, Tensor y, Tensor x, Tensor z, float scale);

}  // namespace tw
