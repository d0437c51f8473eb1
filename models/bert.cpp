#include "models/bert.h"

#include "core/checked_math.h"
#include "models/activation_of.h"

namespace tw {

BertScratch BertScratch::plan(Arena& arena, const TextConfig& c, int64_t rows, DType type, DType attention) {
  const int64_t width = c.hidden_size, padded = round_up(width, kStrip);
  const auto take = [&](int64_t columns, DType t) {
    return arena.take(rows, columns, t, activation_stride(columns, t));
  };
  const auto stream = [&]() -> BertRows {
    const Tensor f32 = take(width, DType::f32);
    return {f32, type == DType::f32 ? f32 : take(width, type)};
  };
  BertScratch s;
  s.x = stream();
  s.cls = stream();
  s.c = take(width, type);
  s.a = attention_writes(attention, type) ? s.c : take(width, attention);
  s.q = take(padded, attention);
  s.kv = arena.take(rows_with_absorbed(rows, rows, width, c.num_attention_heads, attention), 2 * padded, attention,
                    activation_stride(2 * padded, attention));
  s.h = take(c.intermediate_size, type);
  return s;
}

Bert::Bert(const TextConfig& config)
    : config_(config),
      activation_(activation_of(config.hidden_act, "text_config.hidden_act")),
      relative_(config.position_embedding_type != "absolute"),
      keys_meet_distances_(config.position_embedding_type == "relative_key_query"),
      blocks_(static_cast<size_t>(config.num_hidden_layers)) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const auto pruned = config.pruned_heads.find(static_cast<int64_t>(i));
    blocks_[i].heads = config.num_attention_heads -
                       (pruned == config.pruned_heads.end() ? 0 : static_cast<int64_t>(pruned->second.size()));
    if (config.add_cross_attention) blocks_[i].cross.emplace();
  }
}

void Bert::bind(WeightBinder& w, const std::string& prefix) {
  const TextConfig& c = config_;
  const int64_t h = c.hidden_size;
  const std::string embeddings = prefix + "embeddings.";
  w.table(word_, embeddings + "word_embeddings.weight", {c.vocab_size, h});
  if (relative_) {  // such models have the table and do not look at it
    w.ignore(embeddings + "position_embeddings.weight");
    position_ = Buffer(c.max_position_embeddings * h * size_of(DType::f32), "weights");
  } else {
    w.table(position_, embeddings + "position_embeddings.weight", {c.max_position_embeddings, h});
  }
  w.table(type_, embeddings + "token_type_embeddings.weight", {c.type_vocab_size, h});
  w.layer_norm(embedding_norm_, embeddings + "LayerNorm", h, c.layer_norm_eps);
  w.ignore(embeddings + "position_ids");
  w.ignore(embeddings + "token_type_ids");
  for (size_t i = 0; i < blocks_.size(); ++i) {
    BertBlock& b = blocks_[i];
    const std::string layer = prefix + "encoder.layer." + std::to_string(i) + ".", self = layer + "attention.self.";
    const int64_t inner = b.heads * c.head_dim();
    w.joined(b.qkv, {self + "query", self + "key", self + "value"}, inner, h);
    if (relative_)
      w.table(b.distances, self + "distance_embedding.weight", {2 * c.max_position_embeddings - 1, c.head_dim()});
    w.linear(b.out, layer + "attention.output.dense", h, inner);
    w.layer_norm(b.attention_norm, layer + "attention.output.LayerNorm", h, c.layer_norm_eps);
    if (b.cross) {
      const std::string cross = layer + "crossattention.";
      w.joined(b.cross->qkv, {cross + "self.query", cross + "self.key", cross + "self.value"}, h, h);
      w.linear(b.cross->out, cross + "output.dense", h, h);
      w.layer_norm(b.cross->norm, cross + "output.LayerNorm", h, c.layer_norm_eps);
    }
    w.linear(b.intermediate, layer + "intermediate.dense", c.intermediate_size, h);
    w.linear(b.output, layer + "output.dense", h, c.intermediate_size);
    w.layer_norm(b.output_norm, layer + "output.LayerNorm", h, c.layer_norm_eps);
  }
  if (prefix.empty() && w.has("pooler.dense.weight")) {
    w.projection(pooler_, "pooler.dense", h, h, WeightBinder::Bias::yes);
  } else {  // embeddings are the first hidden state itself, never the pooler's
    w.ignore(prefix + "pooler.dense.weight");
    w.ignore(prefix + "pooler.dense.bias");
  }
}

void Bert::upload(WeightUpload& upload, const Bert& from) {
  upload.copy(word_, from.word_);
  upload.copy(position_, from.position_);
  upload.copy(type_, from.type_);
  upload.copy(embedding_norm_, from.embedding_norm_);
  upload.copy(pooler_, from.pooler_);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    BertBlock& to = blocks_[i];
    const BertBlock& b = from.blocks_[i];
    upload.copy(to.qkv, b.qkv);
    upload.copy(to.out, b.out);
    upload.copy(to.attention_norm, b.attention_norm);
    upload.copy(to.intermediate, b.intermediate);
    upload.copy(to.output, b.output);
    upload.copy(to.output_norm, b.output_norm);
    upload.copy(to.distances, b.distances);
    if (!b.cross) continue;
    upload.copy(to.cross->qkv, b.cross->qkv);
    upload.copy(to.cross->out, b.cross->out);
    upload.copy(to.cross->norm, b.cross->norm);
  }
}

namespace {

// y = LN(x), and `in` the same as `next` reads it, if there is one; `at_once`: in the next operation.
void layer_norm_for(Exec& ex, Tensor y, Tensor in, Tensor x, const LayerNorm& w, const Linear* next, bool at_once) {
  layer_norm(ex, y, next == nullptr ? in : as_input_of(*next, in), x, w, at_once ? next : nullptr);
}

}  // namespace

// clang-format off

// Devlin et al. 2019 (arXiv:1810.04805): embeddings, then post-norm transformer layers.
// Mirrors ChineseCLIPTextModel.forward, transformers 4.37.2.   R tokens of B texts, H width.
Tensor Bert::forward(Exec& ex, BertScratch& s, const PackedTexts& t, Stop& stop, Capture* capture) const {
  const int64_t texts = static_cast<int64_t>(t.first_rows.size());
  const BertRows x = s.x.first(t.tokens), cls = s.cls.first(texts);                             // [R, H], [B, H]
  Tap tap{capture, "text"};
  ex.enter(tap.tower);

  // In front of the last block rows are gathered.
  const auto at_once = [&](size_t block) { return capture != nullptr || block + 1 != blocks_.size(); };

  embed(ex, x.f32, word_.as<float>(), type_.as<float>(), position_.as<float>(), t.ids, t.type_ids, t.position_ids);
  layer_norm_for(ex, x.f32, x.in, x.f32, embedding_norm_, first_product(0), at_once(0));
                                                                 tap(ex, "embeddings", x.f32);  // x = LN(word + type + position)
  for (const BertBlock& b : blocks_) {
    tap.layer = &b - blocks_.data();
    const size_t next = static_cast<size_t>(tap.layer) + 1;
    ex.enter(tap.tower, tap.layer);
    if (stop.at_layer()) return cls.f32;
    // Only the first tokens leave the tower: in the last block they alone ask, everybody is still asked.
    if (&b == &blocks_.back() && capture == nullptr) {
      gather_rows(ex, cls.f32, x.f32, t.first_rows);
      if (!cls.is_one()) gather_rows(ex, cls.in, x.in, t.first_rows);
      block(ex, b, s, x, cls, t.first_token, tap, nullptr, nullptr, false);
      return cls.f32;
    }
    block(ex, b, s, x, x, t.every_token, tap, nullptr, first_product(next), at_once(next));
  }
  tap.layer = -1;
  ex.enter(tap.tower);
  gather_rows(ex, cls.f32, x.f32, t.first_rows);                 tap(ex, "pooled", cls.f32);
  return cls.f32;
}

// The same of padded texts, every row of every layer.
Tensor Bert::forward(Exec& ex, BertScratch& s, const BertRequest& r, Stop& stop) const {
  const int64_t h = config_.hidden_size;
  const BertRows x = s.x.first(r.items * r.length), cls = s.cls.first(r.items);                 // [R, H], [B, H]
  const auto keep = [&](float* to) { if (to != nullptr) copy_rows(ex, matrix(to, x.f32.rows, h), x.f32); };

  embed(ex, x.f32, r.embeds != nullptr ? r.embeds : word_.as<float>(), type_.as<float>(), position_.as<float>(),
        r.ids, r.type_ids, r.position_ids);
  layer_norm_for(ex, x.f32, x.in, x.f32, embedding_norm_, first_product(0), true);
  for (const BertBlock& b : blocks_) {
    const auto layer = static_cast<size_t>(&b - blocks_.data());
    keep(r.hidden_states[layer]);
    if (stop.at_layer()) return cls.f32;
    block(ex, b, s, x, x, r.sequences, Tap{}, &r.passes[layer], first_product(layer + 1), true);
  }
  keep(r.hidden_states.back()), keep(r.last_hidden_state);
  gather_rows(ex, cls.f32, x.f32, r.first_rows);
  if (r.pooler_output != nullptr) linear(ex, matrix(r.pooler_output, r.items, h), cls.f32, pooler_, Activation::tanh);
  return cls.f32;
}

// `wanted`: the rows that get a new value: x itself, or a copy of the first tokens; `sequences` leads from them to theirs.
void Bert::block(Exec& ex, const BertBlock& b, BertScratch& s, const BertRows& x, const BertRows& wanted,
                 std::span<const Sequence> sequences, const Tap& tap, const BertPass* pass, const Linear* next,
                 bool at_once) const {
  const int64_t width = b.heads * config_.head_dim(), padded = round_up(width, kStrip), rows = wanted.in.rows;
  const Tensor q = s.q.row_range(0, rows).column_range(0, width);
  const Tensor kv = s.kv.row_range(0, x.in.rows).column_range(0, 2 * padded);
  const Tensor k = kv.column_range(0, width), v = kv.column_range(padded, width);
  const Tensor c = as_input_of(b.out, s.c.row_range(0, rows).column_range(0, width));
  const Tensor h = as_input_of(b.output, s.h.row_range(0, rows));
  const Tensor in = wanted.in, y = wanted.f32;
  const bool absorbed = &wanted != &x && plain_attention() && can_absorb(ex, b.qkv, config_.head_dim());

  if (!absorbed) {
    linear(ex, kv, x.in, b.qkv.columns(padded, 2 * padded));     tap(ex, "keys", k), tap(ex, "values", v);
  }
  linear(ex, q, in, b.qkv.columns(0, width));                    tap(ex, "queries", q);
  if (absorbed) {
    absorbed_attention(ex, c, q, x.in, b.qkv.columns(padded, width), b.qkv.columns(2 * padded, width), sequences,
                       b.heads, kv.f32());
  } else {
    attend(ex, b, s, c, q, k, v, sequences, pass);
  }
                                                                 tap(ex, "context", c);
  linear(ex, y, c, b.out, Epilogue::add_to_output);                                             // a = LN(MSA(x) + x)
  const bool asks_encoder = pass != nullptr && pass->encoder != nullptr;
  layer_norm_for(ex, y, in, y, b.attention_norm, asks_encoder ? &b.cross->qkv : &b.intermediate, true);
                                                                 tap(ex, "attention", y);
  if (asks_encoder) {                                                                           // a = LN(MSA(a, encoder) + a)
    const int64_t all = config_.hidden_size;
    const Tensor cross = s.c.row_range(0, rows), asked = s.q.row_range(0, rows).column_range(0, all);
    linear(ex, asked, in, b.cross->qkv.columns(0, all));
    attend_encoder(ex, *b.cross, s, cross, asked, *pass);
    linear(ex, y, cross, b.cross->out, Epilogue::add_to_output);
    layer_norm_for(ex, y, in, y, b.cross->norm, &b.intermediate, true);
  }
  linear(ex, h, in, b.intermediate, activation_);                tap(ex, "mlp", h);
  linear(ex, y, h, b.output, Epilogue::add_to_output);                                          // y = LN(FFN(a) + a)
  layer_norm_for(ex, y, in, y, b.output_norm, next, at_once);    tap(ex, "output", y);
}

// clang-format on

namespace {

// Head blocks [items, heads, rows, d] as attention reads them.
Tensor blocks_of(const float* data, int64_t rows, int64_t d) {
  return matrix(const_cast<float*>(data), rows, d);  // only read; Tensor has one pointer type for both directions
}

// Attention, its result as products read it; `terms` null: plain attention.
void attention_into(Exec& ex, const BertScratch& s, Tensor c, Tensor q, Tensor k, Tensor v,
                    std::span<const Sequence> sequences, int64_t heads, const AttentionTerms* terms) {
  Tensor a = s.a.row_range(0, q.rows).column_range(0, q.columns);
  a.factor = c.factor;
  terms == nullptr ? attention(ex, a, q, k, v, sequences, heads) : attention(ex, a, q, k, v, sequences, heads, *terms);
  if (a.dtype != c.dtype) copy_rows(ex, c, a);
}

}  // namespace

void Bert::attend(Exec& ex, const BertBlock& b, BertScratch& s, Tensor c, Tensor q, Tensor k, Tensor v,
                  std::span<const Sequence> sequences, const BertPass* pass) const {
  if (pass == nullptr && plain_attention()) return attention_into(ex, s, c, q, k, v, sequences, b.heads, nullptr);
  AttentionTerms terms;
  if (pass != nullptr) {
    terms = pass->self;
  } else {  // rows of a packed text are its tokens in order
    terms.causal = config_.is_decoder;
    terms.distance_of_first = config_.max_position_embeddings - 1;
  }
  if (relative_) terms.distances = b.distances.as<float>();
  terms.distances_of_keys = keys_meet_distances_;
  if (pass != nullptr && pass->keys.to != nullptr) {
    store_heads(ex, pass->keys, k);
    store_heads(ex, pass->values, v);
    const int64_t keys = pass->keys.past + pass->keys.length, d = config_.head_dim();
    k = blocks_of(pass->keys.to, pass->keys.items * b.heads * keys, d);
    v = blocks_of(pass->values.to, k.rows, d);
    sequences = pass->by_block;
    terms.key_head_step = keys * d;
  }
  attention_into(ex, s, c, q, k, v, sequences, b.heads, &terms);
}

void Bert::attend_encoder(Exec& ex, const BertCross& b, BertScratch& s, Tensor c, Tensor q,
                          const BertPass& pass) const {
  const BertEncoder& e = *pass.encoder;
  const int64_t heads = config_.num_attention_heads, width = config_.hidden_size, padded = round_up(width, kStrip);
  if (pass.given_keys != nullptr) {
    const int64_t rows = e.by_block.empty() ? 0 : e.by_block[0].keys, d = config_.head_dim();
    AttentionTerms terms = pass.cross;
    terms.key_head_step = rows * d;
    const int64_t items = static_cast<int64_t>(e.by_block.size()), all = items * heads * rows;
    if (pass.cross_keys.to != nullptr) {  // handed on
      store_heads(ex, {pass.cross_keys.to, pass.given_keys, items, heads, 0, rows}, q);
      store_heads(ex, {pass.cross_values.to, pass.given_values, items, heads, 0, rows}, q);
    }
    attention_into(ex, s, c, q, blocks_of(pass.given_keys, all, d), blocks_of(pass.given_values, all, d), e.by_block,
                   heads, &terms);
    return;
  }
  const Tensor k = e.kv.column_range(0, width), v = e.kv.column_range(padded, width);
  linear(ex, e.kv, e.rows, b.qkv.columns(padded, 2 * padded));
  if (pass.cross_keys.to != nullptr) {
    store_heads(ex, pass.cross_keys, k);
    store_heads(ex, pass.cross_values, v);
  }
  attention_into(ex, s, c, q, k, v, e.by_row, heads, &pass.cross);
}

}  // namespace tw
