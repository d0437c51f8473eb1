#include "models/vit.h"

#include <algorithm>

#include "core/checked_math.h"
#include "models/activation_of.h"

namespace tw {

VitScratch VitScratch::plan(Arena& arena, const VisionConfig& c, int64_t rows, int64_t images, DType type,
                            DType attention) {
  const int64_t width = c.hidden_size, padded = round_up(width, kStrip);
  const int64_t values = c.num_channels * c.patch_size * c.patch_size, inside = std::max(c.intermediate_size, values);
  VitScratch s;
  const auto take = [&](int64_t columns, DType t) {
    return arena.take(rows, columns, t, activation_stride(columns, t));
  };
  s.x = take(width, DType::f32);
  s.y = take(width, type);
  s.a = attention_writes(attention, type) ? s.y : take(width, attention);
  s.q = take(padded, attention);
  s.kv = arena.take(rows_with_absorbed(rows, images, width, c.num_attention_heads, attention), 2 * padded, attention,
                    activation_stride(2 * padded, attention));
  s.h = take(inside, type);
  s.patches = (type == DType::e4m3 ? take(values, DType::bf16) : s.h).column_range(0, values);
  s.pooled = arena.take(images, width);
  return s;
}

Vit::Vit(const VisionConfig& config)
    : config_(config),
      heads_(config.num_attention_heads),
      activation_(activation_of(config.hidden_act, "vision_config.hidden_act")),
      blocks_(static_cast<size_t>(config.num_hidden_layers)) {}

void Vit::bind(WeightBinder& w, const std::string& prefix) {
  const VisionConfig& c = config_;
  const int64_t d = c.hidden_size;
  const std::string embeddings = prefix + "embeddings.";
  w.table(class_embedding_, embeddings + "class_embedding", {d});
  w.linear(patch_embedding_, embeddings + "patch_embedding", {d, c.num_channels, c.patch_size, c.patch_size},
           WeightBinder::Bias::no);
  w.table(position_embedding_, embeddings + "position_embedding.weight", {c.tokens(), d});
  w.ignore(embeddings + "position_ids");
  w.layer_norm(pre_norm_, prefix + "pre_layrnorm", d, c.layer_norm_eps);  // spelt so in every checkpoint
  for (size_t i = 0; i < blocks_.size(); ++i) {
    VitBlock& b = blocks_[i];
    const std::string layer = prefix + "encoder.layers." + std::to_string(i) + ".", attention = layer + "self_attn.";
    w.layer_norm(b.norm1, layer + "layer_norm1", d, c.layer_norm_eps);
    w.joined(b.qkv, {attention + "q_proj", attention + "k_proj", attention + "v_proj"}, d, d);
    w.linear(b.out, attention + "out_proj", d, d);
    w.layer_norm(b.norm2, layer + "layer_norm2", d, c.layer_norm_eps);
    w.linear(b.fc1, layer + "mlp.fc1", c.intermediate_size, d);
    w.linear(b.fc2, layer + "mlp.fc2", d, c.intermediate_size);
    if (i + 1 == blocks_.size()) continue;  // whose MLP sees the class tokens alone
    w.of_items(b.fc1, c.intermediate_size, d, c.tokens());
    w.of_items(b.fc2, d, c.intermediate_size, c.tokens());
  }
  w.layer_norm(post_norm_, prefix + "post_layernorm", d, c.layer_norm_eps);
}

// The class token's patch is a row of zeros, so its embedding can live in the first position: the same one addition.
void Vit::finish_loading() {
  float* first = position_embedding_.as<float>();
  const float* class_token = class_embedding_.as<float>();
  for (int64_t i = 0; i < config_.hidden_size; ++i) first[i] = class_token[i] + first[i];
}

int64_t Vit::round_patch_embedding() {
  PackedMatrix& weights = patch_embedding_.weights;
  const int64_t before = weights.bytes();
  weights = weights.rounded();
  return before - weights.bytes();
}

// Normalised pixels have no outlier channels to smooth, and no mean that a calibration would have to find.
int64_t Vit::quantize_patch_embedding() {
  Linear& w = patch_embedding_;
  const int64_t before = w.weights.bytes();
  w.int8 = PackedInt8(w.weights, nullptr);
  w.weights.release();
  return before - w.int8.bytes();
}

void Vit::upload(WeightUpload& upload, const Vit& from) {
  upload.copy(patch_embedding_, from.patch_embedding_);
  upload.copy(position_embedding_, from.position_embedding_);
  upload.copy(pre_norm_, from.pre_norm_);
  upload.copy(post_norm_, from.post_norm_);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    VitBlock& to = blocks_[i];
    const VitBlock& b = from.blocks_[i];
    upload.copy(to.norm1, b.norm1);
    upload.copy(to.qkv, b.qkv);
    upload.copy(to.out, b.out);
    upload.copy(to.norm2, b.norm2);
    upload.copy(to.fc1, b.fc1);
    upload.copy(to.fc2, b.fc2);
  }
}

// clang-format off

// Dosovitskiy et al. 2021 (arXiv:2010.11929), eq. 1-4, with CLIP's extra LayerNorm before the blocks.
// Mirrors ChineseCLIPVisionTransformer.forward, transformers 4.37.2.
// B images, T = 1 + (S/P)^2 tokens, D width, K = C P^2 values a patch.
Tensor Vit::forward(Exec& ex, VitScratch& s, const PatchSource& pixels, const ImageRows& rows, Stop& stop,
                    Capture* capture) const {
  const int64_t images = static_cast<int64_t>(rows.every_token.size()), tokens = config_.tokens();
  const Tensor x = s.x.row_range(0, images * tokens);                                           // [B T, D]
  const Tensor class_rows = x.every(tokens);                                                    // [B, D]
  const Tensor pooled = s.pooled.row_range(0, images);                                          // [B, D]
  Tap tap{capture, "vision"};
  ex.enter(tap.tower);

  embed(ex, s, x, images, pixels, position_embedding_.as<float>(), tap);
  for (const VitBlock& b : blocks_) {
    tap.layer = &b - blocks_.data();
    ex.enter(tap.tower, tap.layer);
    if (stop.at_layer()) return pooled;
    // Only the class tokens leave the tower: in the last block they alone ask, everybody is still asked.
    if (&b == &blocks_.back() && capture == nullptr) {
      block(ex, b, s, x, class_rows, rows.class_token, tap, nullptr);
    } else {
      block(ex, b, s, x, x, rows.every_token, tap, nullptr);
    }
  }
  tap.layer = -1;
  ex.enter(tap.tower);
  layer_norm(ex, pooled, class_rows, post_norm_);                tap(ex, "pooled", pooled);     // y = LN(z_class)
  return pooled;
}

// The same, every row of every layer.
Tensor Vit::forward(Exec& ex, VitScratch& s, const PatchSource& pixels, const VitRequest& r, Stop& stop) const {
  const Tensor x = s.x.row_range(0, r.images * r.tokens), pooled = s.pooled.row_range(0, r.images);
  const auto keep = [&](float* to) { if (to != nullptr) copy_rows(ex, matrix(to, x.rows, x.columns), x); };

  embed(ex, s, x, r.images, pixels, r.positions != nullptr ? r.positions : position_embedding_.as<float>(), Tap{});
  for (const VitBlock& b : blocks_) {
    const auto layer = static_cast<size_t>(&b - blocks_.data());
    keep(r.hidden_states[layer]);
    if (stop.at_layer()) return pooled;
    AttentionTerms terms;
    terms.weights = r.attentions[layer];
    block(ex, b, s, x, x, r.sequences, Tap{}, &terms);
  }
  keep(r.hidden_states.back()), keep(r.last_hidden_state);
  layer_norm(ex, pooled, x.every(r.tokens), post_norm_);
  return pooled;
}

// z0 = LN([class; E p1; E p2; ...] + pos)
void Vit::embed(Exec& ex, VitScratch& s, Tensor x, int64_t images, const PatchSource& pixels, const float* positions,
                const Tap& tap) const {
  const Tensor pixel_rows = s.patches.row_range(0, x.rows);                                     // [B T, K]
  patches(ex, pixel_rows, images, pixels);
  linear(ex, x, pixel_rows, patch_embedding_);                   tap(ex, "patches", x);
  add_periodic(ex, x, positions, x.rows / images);               tap(ex, "embeddings", x);
  layer_norm(ex, x, x, pre_norm_);                               tap(ex, "pre_layernorm", x);
}

// `wanted`: the rows of x that get a new value, all of them or each image's first; `sequences` leads from them to theirs.
void Vit::block(Exec& ex, const VitBlock& b, VitScratch& s, Tensor x, Tensor wanted,
                std::span<const Sequence> sequences, const Tap& tap, const AttentionTerms* terms) const {
  const int64_t d = x.columns, padded = s.q.columns, step = x.rows / wanted.rows;
  const int64_t rows_each = wanted.rows / std::ssize(sequences);
  const Tensor y = as_input_of(b.qkv, s.y.row_range(0, x.rows));
  const Tensor yw = s.y.row_range(0, wanted.rows), context = as_input_of(b.out, yw), inner = as_input_of(b.fc1, yw);
  const Tensor q = s.q.row_range(0, wanted.rows).column_range(0, d), kv = s.kv.row_range(0, x.rows);
  const Tensor k = kv.column_range(0, d), v = kv.column_range(padded, d);
  const Tensor h = as_input_of(b.fc2, s.h.row_range(0, wanted.rows).column_range(0, config_.intermediate_size));
  const Tensor a = as_input_of(b.out, s.a.row_range(0, q.rows));
  const bool absorbed = wanted.rows < x.rows && can_absorb(ex, b.qkv, d / heads_);

  layer_norm(ex, y, y, x, b.norm1, &b.qkv);                      tap(ex, "norm1", y);           // z' = MSA(LN(z)) + z
  if (!absorbed) {
    linear(ex, kv, y, b.qkv.columns(padded, 2 * padded));        tap(ex, "keys", k), tap(ex, "values", v);
  }
  linear(ex, q, y.every(step), b.qkv.columns(0, d));             tap(ex, "queries", q);
  if (absorbed) {
    absorbed_attention(ex, a, q, y, b.qkv.columns(padded, d), b.qkv.columns(2 * padded, d), sequences, heads_, kv.f32());
  } else if (terms == nullptr) {
    attention(ex, a, q, k, v, sequences, heads_);
  } else {
    attention(ex, a, q, k, v, sequences, heads_, *terms);
  }
  if (a.dtype != context.dtype) copy_rows(ex, context, a);
                                                                 tap(ex, "context", context);
  linear(ex, wanted, context, b.out, Epilogue::add_to_output);   tap(ex, "attention", wanted);
  layer_norm(ex, inner, inner, wanted, b.norm2, &b.fc1);         tap(ex, "norm2", inner);       // z = MLP(LN(z')) + z'
  linear(ex, h, inner, b.fc1.of_items(rows_each), activation_);  tap(ex, "mlp", h);
  linear(ex, wanted, h, b.fc2.of_items(rows_each), Epilogue::add_to_output);
                                                                 tap(ex, "output", wanted);
}

// clang-format on

}  // namespace tw
