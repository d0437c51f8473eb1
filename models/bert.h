// The text tower: a BERT encoder.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/arena.h"
#include "models/capture.h"
#include "models/config.h"
#include "models/stop.h"
#include "models/weights.h"

namespace tw {

struct BertBlock {
  Linear qkv;  // queries, keys, values; each padded to whole strips
  Linear out;
  LayerNorm attention_norm;
  Linear intermediate, output;
  LayerNorm output_norm;
};

// The residual stream, and the same rounded to what products read; in f32 models one tensor.
struct BertRows {
  Tensor f32, in;  // [*, H]

  bool is_one() const { return f32.data == in.data; }
  BertRows first(int64_t count) const { return {f32.row_range(0, count), in.row_range(0, count)}; }
};

// Activations of at most R rows (tokens of all texts of a slice, back to back) and R texts, H wide; Hp is H in whole
// strips, I the width inside the feed-forward part. What products read and attention sees has the model's activation
// type.
struct BertScratch {
  BertRows x;    // [R, H]
  BertRows cls;  // [R, H]   the first tokens, in the last block
  Tensor c;      // [R, H]   attention's result
  Tensor q;      // [R, Hp]
  Tensor kv;     // [R, 2 Hp]
  Tensor h;      // [R, I]

  static BertScratch plan(Arena& arena, const TextConfig& config, int64_t rows, DType type);
};

// Texts packed back to back, without padding. Ids are valid.
struct PackedTexts {
  const int32_t *ids, *type_ids, *position_ids;  // [tokens]
  int64_t tokens;
  std::span<const Sequence> every_token;  // [texts] each text asks itself
  std::span<const Sequence> first_token;  // [texts] row i of a dense [texts, H] asks text i
  std::span<const int64_t> first_rows;    // [texts] where each text begins
};

// Immutable after loading; any number of Sessions may use one at once.
class Bert {
 public:
  // Throws unsupported for what the encoder does not run: relative positions, decoders, pruned heads.
  explicit Bert(const TextConfig& config);
  // `prefix`: "text_model." in a full checkpoint, "" in a stand-alone one.
  void bind(WeightBinder& binder, const std::string& prefix);

  // Calls body(Linear) for the products of every block.
  template <class Body>
  void for_each_linear(Body body) const {
    for (const BertBlock& b : blocks_)
      for (const Linear* w : {&b.qkv, &b.out, &b.intermediate, &b.output}) body(*w);
  }
  template <class Body>
  void for_each_linear(Body body) {
    for (BertBlock& b : blocks_)
      for (Linear* w : {&b.qkv, &b.out, &b.intermediate, &b.output}) body(*w);
  }

  // Collective. The first token's last hidden state of each text [texts, H]: a view into the scratch, not filled if
  // stopped. With a capture every row of the last block is computed, else only the first tokens'.
  Tensor forward(Exec& ex, BertScratch& s, const PackedTexts& texts, Stop& stop, Capture* capture) const;

  const TextConfig& config() const { return config_; }

 private:
  void block(Exec& ex, const BertBlock& b, BertScratch& s, const BertRows& x, const BertRows& wanted,
             std::span<const Sequence> sequences, const Tap& tap) const;

  TextConfig config_;
  int64_t heads_;
  Activation activation_;
  Buffer word_, position_, type_;  // [V, H], [P, H], [T, H]
  LayerNorm embedding_norm_;
  std::vector<BertBlock> blocks_;
};

}  // namespace tw
