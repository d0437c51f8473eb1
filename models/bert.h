// The text tower: a BERT encoder.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/arena.h"
#include "models/bert_request.h"
#include "models/capture.h"
#include "models/config.h"
#include "models/stop.h"
#include "models/weight_upload.h"
#include "models/weights.h"

namespace tw {

// A decoder's attention to the rows of an encoder.
struct BertCross {
  Linear qkv;  // as a block's
  Linear out;
  LayerNorm norm;
};

struct BertBlock {
  int64_t heads;  // left after pruning
  Linear qkv;     // queries, keys, values of these heads; each padded to whole strips
  Linear out;
  LayerNorm attention_norm;
  Linear intermediate, output;
  LayerNorm output_norm;
  std::optional<BertCross> cross;
  Buffer distances;  // [2 P - 1, d], of relative positions alone
};

// The residual stream, and the same rounded to what products read; in f32 models one tensor.
struct BertRows {
  Tensor f32, in;  // [*, H]

  bool is_one() const { return f32.data == in.data; }
  BertRows first(int64_t count) const { return {f32.row_range(0, count), in.row_range(0, count)}; }
};

// Activations of at most R rows (tokens of all texts of a slice, back to back) and R texts, H wide; Hp is H in whole
// strips, I the width inside the feed-forward part. What products read and attention sees has the model's activation
// type. Attention with terms (AttentionTerms) works in f32 instead.
struct BertScratch {
  BertRows x;    // [R, H]
  BertRows cls;  // [R, H]   the first tokens, in the last block
  Tensor c;      // [R, H]   attention's result as a product reads it
  Tensor a;      // [R, H]   and as attention writes it: c itself where the types are the same
  Tensor q;      // [R, Hp]
  Tensor kv;     // [R, 2 Hp]
  Tensor h;      // [R, I]

  static BertScratch plan(Arena& arena, const TextConfig& config, int64_t rows, DType type, DType attention);
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
  explicit Bert(const TextConfig& config);
  // `prefix`: "text_model." in a full checkpoint, "" in a stand-alone one, which may have a pooler.
  void bind(WeightBinder& binder, const std::string& prefix);

  // Instead of bind(): the weights of `from`, a tower of the same configuration, in a device's memory.
  void upload(WeightUpload& upload, const Bert& from);

  // Calls body(Linear) for the products of every block.
  template <class Body>
  void for_each_linear(Body body) const {
    for (const BertBlock& b : blocks_) {
      for (const Linear* w : {&b.qkv, &b.out, &b.intermediate, &b.output}) body(*w);
      if (b.cross) body(b.cross->qkv), body(b.cross->out);
    }
  }
  template <class Body>
  void for_each_linear(Body body) {
    for (BertBlock& b : blocks_) {
      for (Linear* w : {&b.qkv, &b.out, &b.intermediate, &b.output}) body(*w);
      if (b.cross) body(b.cross->qkv), body(b.cross->out);
    }
  }

  // Collective. The first token's last hidden state of each text [texts, H]: a view into the scratch, not filled if
  // stopped. With a capture every row of the last block is computed, else only the first tokens'.
  Tensor forward(Exec& ex, BertScratch& s, const PackedTexts& texts, Stop& stop, Capture* capture) const;
  // Collective. The full driver: every row of every layer, with what the request adds and into what it wants. The same
  // view of the first tokens. The scratch's attention is f32.
  Tensor forward(Exec& ex, BertScratch& s, const BertRequest& request, Stop& stop) const;

  // The type in which the plain driver's attention works, given that of the activations.
  DType attention_type(DType activations) const { return plain_attention() ? activations : DType::f32; }
  // And on a device, where wide heads are f32.
  DType device_attention_type(DType activations) const {
    return config_.head_dim() > kWidestDeviceHead ? DType::f32 : attention_type(narrow_attention(activations));
  }
  bool plain_attention() const { return !relative_ && !config_.is_decoder; }
  bool relative() const { return relative_; }
  bool has_pooler() const { return pooler_.weights.n() > 0; }
  int64_t heads(int64_t layer) const { return blocks_[static_cast<size_t>(layer)].heads; }

  const TextConfig& config() const { return config_; }

 private:
  // What reads x first in a block; null if there is no such block.
  const Linear* first_product(size_t block) const { return block < blocks_.size() ? &blocks_[block].qkv : nullptr; }
  // `pass` null: nothing is added but what the model itself has. `next`: what reads the result, or null; `at_once`: in
  // the next operation.
  void block(Exec& ex, const BertBlock& b, BertScratch& s, const BertRows& x, const BertRows& wanted,
             std::span<const Sequence> sequences, const Tap& tap, const BertPass* pass, const Linear* next,
             bool at_once) const;
  void attend(Exec& ex, const BertBlock& b, BertScratch& s, Tensor c, Tensor q, Tensor k, Tensor v,
              std::span<const Sequence> sequences, const BertPass* pass) const;
  void attend_encoder(Exec& ex, const BertCross& b, BertScratch& s, Tensor c, Tensor q, const BertPass& pass) const;

  TextConfig config_;
  Activation activation_;
  bool relative_, keys_meet_distances_;
  Buffer word_, position_, type_;  // [V, H], [P, H] (zeros where positions are relative), [T, H]
  LayerNorm embedding_norm_;
  std::vector<BertBlock> blocks_;
  Linear pooler_;  // [H, H], or nothing
};

}  // namespace tw
