#include "models/bert.h"

#include "core/checked_math.h"
#include "models/activation_of.h"

namespace tw {

BertScratch BertScratch::plan(Arena& arena, const TextConfig& c, int64_t rows, DType type) {
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
  s.q = take(padded, type);
  s.kv = take(2 * padded, type);
  s.h = take(c.intermediate_size, type);
  return s;
}

namespace {

void require(bool supported, const char* field, const std::string& expected, const std::string& found) {
  if (!supported)
    throw Error(
        ErrorCode::unsupported,
        {.file = "config.json", .field = std::string("text_config.") + field, .expected = expected, .found = found});
}

}  // namespace

Bert::Bert(const TextConfig& config)
    : config_(config),
      heads_(config.num_attention_heads),
      activation_(activation_of(config.hidden_act, "text_config.hidden_act")),
      blocks_(static_cast<size_t>(config.num_hidden_layers)) {
  require(config.position_embedding_type == "absolute", "position_embedding_type", "\"absolute\"",
          "\"" + printable(config.position_embedding_type) + "\"");
  require(!config.is_decoder, "is_decoder", "false", "true");
  require(!config.add_cross_attention, "add_cross_attention", "false", "true");
  require(config.pruned_heads.empty(), "pruned_heads", "none", "some");
}

void Bert::bind(WeightBinder& w, const std::string& prefix) {
  const TextConfig& c = config_;
  const int64_t h = c.hidden_size;
  const std::string embeddings = prefix + "embeddings.";
  w.table(word_, embeddings + "word_embeddings.weight", {c.vocab_size, h});
  w.table(position_, embeddings + "position_embeddings.weight", {c.max_position_embeddings, h});
  w.table(type_, embeddings + "token_type_embeddings.weight", {c.type_vocab_size, h});
  w.layer_norm(embedding_norm_, embeddings + "LayerNorm", h, c.layer_norm_eps);
  w.ignore(embeddings + "position_ids");
  w.ignore(embeddings + "token_type_ids");
  for (size_t i = 0; i < blocks_.size(); ++i) {
    BertBlock& b = blocks_[i];
    const std::string layer = prefix + "encoder.layer." + std::to_string(i) + ".", self = layer + "attention.self.";
    w.joined(b.qkv, {self + "query", self + "key", self + "value"}, h, h);
    w.linear(b.out, layer + "attention.output.dense", h, h);
    w.layer_norm(b.attention_norm, layer + "attention.output.LayerNorm", h, c.layer_norm_eps);
    w.linear(b.intermediate, layer + "intermediate.dense", c.intermediate_size, h);
    w.linear(b.output, layer + "output.dense", h, c.intermediate_size);
    w.layer_norm(b.output_norm, layer + "output.LayerNorm", h, c.layer_norm_eps);
  }
  w.ignore(prefix + "pooler.dense.weight");  // embeddings are the first hidden state itself, never the pooler's
  w.ignore(prefix + "pooler.dense.bias");
}

// clang-format off

// Devlin et al. 2019 (arXiv:1810.04805): embeddings, then post-norm transformer layers.
// Mirrors ChineseCLIPTextModel.forward, transformers 4.37.2.   R tokens of B texts, H width.
Tensor Bert::forward(Exec& ex, BertScratch& s, const PackedTexts& t, Stop& stop, Capture* capture) const {
  const int64_t texts = static_cast<int64_t>(t.first_rows.size());
  const BertRows x = s.x.first(t.tokens), cls = s.cls.first(texts);                             // [R, H], [B, H]
  Tap tap{capture, "text"};
  ex.enter(tap.tower);

  embed(ex, x.f32, word_.as<float>(), type_.as<float>(), position_.as<float>(), t.ids, t.type_ids, t.position_ids);
  layer_norm(ex, x.f32, x.in, x.f32, embedding_norm_);           tap(ex, "embeddings", x.f32);  // x = LN(word + type + position)
  for (const BertBlock& b : blocks_) {
    tap.layer = &b - blocks_.data();
    ex.enter(tap.tower, tap.layer);
    if (stop.at_layer()) return cls.f32;
    // Only the first tokens leave the tower: in the last block they alone ask, everybody is still asked.
    if (&b == &blocks_.back() && capture == nullptr) {
      gather_rows(ex, cls.f32, x.f32, t.first_rows);
      if (!cls.is_one()) gather_rows(ex, cls.in, x.in, t.first_rows);
      block(ex, b, s, x, cls, t.first_token, tap);
      return cls.f32;
    }
    block(ex, b, s, x, x, t.every_token, tap);
  }
  tap.layer = -1;
  ex.enter(tap.tower);
  gather_rows(ex, cls.f32, x.f32, t.first_rows);                 tap(ex, "pooled", cls.f32);
  return cls.f32;
}

// `wanted`: the rows that get a new value: x itself, or a copy of the first tokens; `sequences` leads from them to theirs.
void Bert::block(Exec& ex, const BertBlock& b, BertScratch& s, const BertRows& x, const BertRows& wanted,
                 std::span<const Sequence> sequences, const Tap& tap) const {
  const int64_t width = x.in.columns, padded = s.q.columns, rows = wanted.in.rows;
  const Tensor q = s.q.row_range(0, rows).column_range(0, width), kv = s.kv.row_range(0, x.in.rows);
  const Tensor k = kv.column_range(0, width), v = kv.column_range(padded, width);
  const Tensor c = s.c.row_range(0, rows), h = s.h.row_range(0, rows), in = wanted.in, y = wanted.f32;

  linear(ex, kv, x.in, b.qkv.columns(padded, 2 * padded));       tap(ex, "keys", k), tap(ex, "values", v);
  linear(ex, q, in, b.qkv.columns(0, width));                    tap(ex, "queries", q);
  attention(ex, c, q, k, v, sequences, heads_);                  tap(ex, "context", c);
  linear(ex, y, c, b.out, Epilogue::add_to_output);                                             // a = LN(MSA(x) + x)
  layer_norm(ex, y, in, y, b.attention_norm);                    tap(ex, "attention", y);
  linear(ex, h, in, b.intermediate, activation_);                tap(ex, "mlp", h);
  linear(ex, y, h, b.output, Epilogue::add_to_output);                                          // y = LN(FFN(a) + a)
  layer_norm(ex, y, in, y, b.output_norm);                       tap(ex, "output", y);
}

// clang-format on

}  // namespace tw
