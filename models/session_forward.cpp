// Forward passes: the towers' full drivers over slices of a batch, into outputs that are made here.
#include <algorithm>
#include <optional>
#include <string>

#include "core/checked_math.h"
#include "core/error.h"
#include "models/pass_memory.h"
#include "models/session.h"
#include "models/session_calls.h"
#include "models/session_scratch.h"

namespace tw {
namespace {

// An output's rows of one item after the other; null where it is not wanted.
struct Target {
  float* data = nullptr;
  int64_t each = 0;  // floats of an item

  float* from(int64_t item) const { return data == nullptr ? nullptr : data + item * each; }
};

Target add(Outputs& outputs, const std::string& name, std::vector<int64_t> shape) {
  float* data = outputs.add(name, shape);
  int64_t each = 1;
  for (size_t i = 1; i < shape.size(); ++i) each *= shape[i];
  return {data, each};
}

std::string numbered(const char* name, int64_t layer) { return std::string(name) + "." + std::to_string(layer); }

// Projection and norm of the first tokens.
struct Embedding {
  Target features, embeds;

  void make(Exec& ex, int64_t item, Tensor pooled, const Linear& projection) const {
    if (features.data == nullptr && embeds.data == nullptr) return;
    const int64_t width = projection.weights.n();
    const Target& to = features.data != nullptr ? features : embeds;
    const Tensor y = matrix(to.from(item), pooled.rows, width);
    linear(ex, y, pooled, projection);
    if (embeds.data != nullptr) l2_normalize(ex, matrix(embeds.from(item), pooled.rows, width), y);
  }
};

Embedding add_embedding(Outputs& outputs, const Wanted& wanted, int64_t items, const ChineseClip& model) {
  if ((wanted.features || wanted.embeds) && !model.has_embeddings())
    throw Error(ErrorCode::unsupported,
                {.field = "outputs", .expected = "no features and embeds", .note = "this tower stands alone"});
  Embedding e;
  if (wanted.features) e.features = add(outputs, "features", {items, model.embedding_width()});
  if (wanted.embeds) e.embeds = add(outputs, "embeds", {items, model.embedding_width()});
  return e;
}

// Where a text pass writes.
struct TextTargets {
  Target last, pooler;
  std::vector<Target> hidden, attentions, cross_attentions;  // of each layer
  std::vector<Target> keys, values, cross_keys, cross_values;
  Embedding embedding;

  TextTargets(Outputs& outputs, const Wanted& w, const TextInputs& in, const Bert& bert, const ChineseClip& model) {
    const TextConfig& c = bert.config();
    const int64_t layers = c.num_hidden_layers, b = in.items, length = in.length, width = c.hidden_size;
    if (w.last_hidden_state) last = add(outputs, "last_hidden_state", {b, length, width});
    if (w.pooler && bert.has_pooler()) pooler = add(outputs, "pooler_output", {b, width});
    hidden.resize(static_cast<size_t>(layers) + 1);
    for (int64_t i = 0; w.hidden_states && i <= layers; ++i)
      hidden[static_cast<size_t>(i)] = add(outputs, numbered("hidden_states", i), {b, length, width});
    const auto each = [&](std::vector<Target>& targets, bool wanted, const char* name, const char* part, bool cross,
                          int64_t third, int64_t fourth) {
      targets.resize(static_cast<size_t>(layers));
      for (int64_t i = 0; wanted && i < layers; ++i) {
        const int64_t heads = cross ? c.num_attention_heads : bert.heads(i);
        targets[static_cast<size_t>(i)] = add(outputs, numbered(name, i) + part, {b, heads, third, fourth});
      }
    };
    each(attentions, w.attentions, "attentions", "", false, length, in.keys());
    each(cross_attentions, w.attentions && in.has_encoder, "cross_attentions", "", true, length, in.encoder_length);
    add_cache(outputs, w.cache && c.is_decoder, in, bert);
    embedding = add_embedding(outputs, w, b, model);
  }

 private:
  void add_cache(Outputs& outputs, bool wanted, const TextInputs& in, const Bert& bert) {
    const TextConfig& c = bert.config();
    for (std::vector<Target>* t : {&keys, &values, &cross_keys, &cross_values})
      t->resize(static_cast<size_t>(c.num_hidden_layers));
    for (int64_t i = 0; wanted && i < c.num_hidden_layers; ++i) {
      const auto at = static_cast<size_t>(i);
      const std::vector<int64_t> own = {in.items, bert.heads(i), in.keys(), c.head_dim()};
      const std::vector<int64_t> cross = {in.items, c.num_attention_heads, in.encoder_length, c.head_dim()};
      keys[at] = add(outputs, numbered("past", i) + ".key", own);
      values[at] = add(outputs, numbered("past", i) + ".value", own);
      if (!in.has_encoder) continue;
      cross_keys[at] = add(outputs, numbered("past", i) + ".cross_key", cross);
      cross_values[at] = add(outputs, numbered("past", i) + ".cross_value", cross);
    }
  }
};

struct TextScratch {
  BertScratch bert;
  Tensor encoder_rows, encoder_kv;
  float *keys = nullptr, *values = nullptr;  // a layer's cache, where it is needed and not wanted
};

// One slice of items as the tower's request. Owns what the request points to.
class TextSlice {
 public:
  TextSlice(const TextForward& given, const TextInputs& in, const TextTargets& to, const Bert& bert,
            const TextScratch& scratch, const DeviceApi* device, int64_t first, int64_t count)
      : given_(given),
        in_(in),
        to_(to),
        memory_(device),
        first_(first),
        count_(count),
        bias_(bias(in.mask)),
        encoder_bias_(bias(in.encoder_mask)) {
    const TextConfig& c = bert.config();
    const int64_t length = in.length, keys = in.keys();
    for (int64_t i = 0; i < count; ++i) {
      by_row_.push_back({i * length, length, i * length, length});
      first_rows_.push_back(i * length);
    }
    if (in.has_encoder) {
      encoder_.rows = scratch.encoder_rows.row_range(0, count * in.encoder_length);
      encoder_.kv = scratch.encoder_kv.row_range(0, count * in.encoder_length);
      for (int64_t i = 0; i < count; ++i) {
        encoder_by_row_.push_back({i * length, length, i * in.encoder_length, in.encoder_length});
        encoder_by_block_.push_back(
            {i * length, length, i * c.num_attention_heads * in.encoder_length, in.encoder_length});
      }
      encoder_.by_row = memory_.visible(encoder_by_row_);
      encoder_.by_block = memory_.visible(encoder_by_block_);
    }
    blocks_.resize(static_cast<size_t>(c.num_hidden_layers));
    for (int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
      const auto at = static_cast<size_t>(layer);
      const int64_t heads = bert.heads(layer);
      for (int64_t i = 0; i < count; ++i) blocks_[at].push_back({i * length, length, i * heads * keys, keys});
      passes_.push_back(pass(layer, heads, c, scratch));
      hidden_.push_back(to.hidden[at].from(first));
    }
    hidden_.push_back(to.hidden.back().from(first));
  }

  BertRequest request() {
    const int64_t row = first_ * in_.length, rows = count_ * in_.length;
    const bool embeds = static_cast<bool>(given_.inputs_embeds);
    return {.items = count_,
            .length = in_.length,
            .embeds = embeds ? from_first(given_.inputs_embeds) : nullptr,
            .ids = memory_.visible(in_.ids.data() + (embeds ? 0 : row), rows),
            .type_ids = memory_.visible(in_.type_ids.data() + row, rows),
            .position_ids = memory_.visible(in_.position_ids.data() + row, rows),
            .sequences = memory_.visible(by_row_),
            .first_rows = memory_.visible(first_rows_),
            .passes = passes_,
            .hidden_states = hidden_,
            .last_hidden_state = to_.last.from(first_),
            .pooler_output = to_.pooler.from(first_)};
  }
  const float* encoder_hidden_states() { return from_first(given_.encoder_hidden_states); }

 private:
  // An array [items, ...] of the caller's from this slice's first item on.
  const float* from_first(const Given<float>& array) {
    if (!array) return nullptr;
    int64_t each = 1;
    for (int i = 1; i < array.rank; ++i) each *= array.shape[i];
    return memory_.visible(array.data + first_ * each, count_ * each);
  }

  // The mask of this slice's items.
  const float* bias(const MaskBias& mask) {
    if (mask.data() == nullptr) return nullptr;
    const int64_t begin = first_ * mask.item, all = std::ssize(mask.values);
    return memory_.visible(mask.data() + begin, mask.item == 0 ? all : count_ * mask.item);
  }

  AttentionTerms terms(const MaskBias& mask, const float* mask_bias, int64_t layer, int64_t heads,
                       const Target& weights) {
    AttentionTerms t;
    t.bias = mask_bias;
    t.bias_item = mask.item;
    t.bias_query = mask.query;
    t.head_scale = in_.head_mask.empty() ? nullptr : memory_.visible(in_.head_mask.data() + layer * heads, heads);
    t.weights = weights.from(first_);
    return t;
  }

  BertPass pass(int64_t layer, int64_t heads, const TextConfig& c, const TextScratch& scratch) {
    const auto at = static_cast<size_t>(layer);
    const auto given = [&](int64_t part) {
      return from_first(given_.past_key_values[static_cast<size_t>(layer * (in_.past_has_encoder ? 4 : 2) + part)]);
    };
    BertPass p;
    p.self = terms(in_.mask, bias_, layer, heads, to_.attentions[at]);
    p.self.causal = in_.causal;
    p.self.causal_first = in_.past;
    // With a cache the reference takes every query for the last key's (ChineseCLIPTextSelfAttention, use_cache).
    const bool cached = !given_.past_key_values.empty();
    p.self.distance_of_first = c.max_position_embeddings - 1 + (cached ? in_.keys() - 1 : 0);
    p.self.distance_step = cached ? 0 : 1;
    if (cached || to_.keys[at].data != nullptr) {
      p.by_block = memory_.visible(blocks_[at]);
      const auto target = [&](const Target& wanted, float* room) {
        return wanted.data != nullptr ? wanted.from(first_) : room;
      };
      p.keys = {target(to_.keys[at], scratch.keys), cached ? given(0) : nullptr, count_, heads, in_.length, in_.past};
      p.values = p.keys;
      p.values.to = target(to_.values[at], scratch.values);
      p.values.before = cached ? given(1) : nullptr;
    }
    if (!in_.has_encoder) return p;
    p.encoder = &encoder_;
    p.cross = terms(in_.encoder_mask, encoder_bias_, layer, c.num_attention_heads, to_.cross_attentions[at]);
    p.cross_keys = {to_.cross_keys[at].from(first_), nullptr, count_, c.num_attention_heads, in_.encoder_length, 0};
    p.cross_values = p.cross_keys;
    p.cross_values.to = to_.cross_values[at].from(first_);
    if (in_.past_has_encoder) p.given_keys = given(2), p.given_values = given(3);
    return p;
  }

  const TextForward& given_;
  const TextInputs& in_;
  const TextTargets& to_;
  PassMemory memory_;
  int64_t first_, count_;
  const float *bias_, *encoder_bias_;
  std::vector<Sequence> by_row_, encoder_by_row_, encoder_by_block_;
  std::vector<std::vector<Sequence>> blocks_;  // of each layer
  std::vector<int64_t> first_rows_;
  BertEncoder encoder_;
  std::vector<BertPass> passes_;
  std::vector<float*> hidden_;
};

[[noreturn]] void no_tower(const char* field, const char* tower) {
  throw Error(ErrorCode::invalid_argument,
              {.field = field, .expected = std::string("a model with its ") + tower + " tower loaded"});
}

}  // namespace

Outputs Session::forward(const TextForward& text, const ForwardOptions& options) {
  const Bert* bert = running_->text();
  if (bert == nullptr) no_tower("inputs", "text");
  const TextInputs in(text, *bert);
  std::optional<DeviceScope> scope;
  if (device_) scope.emplace(where_.handle);
  Outputs outputs(device_api());
  if (const std::optional<PlainTexts> plain = model_->has_embeddings() ? plain_texts(text, in, *bert) : std::nullopt) {
    const Embedding to = add_embedding(outputs, text.wanted, in.items, *model_);
    const Target& out = text.wanted.embeds ? to.embeds : to.features;
    EmbedOptions how;
    how.normalize = text.wanted.embeds;
    how.cancel = options.cancel;
    how.deadline = options.deadline;
    encode_texts({plain->ids, plain->offsets, plain->type_ids, plain->position_ids},
                 {out.data, static_cast<size_t>(in.items * out.each)}, how);
    return outputs;
  }

  const OccupiedSession occupied(busy_);
  const TextConfig& c = bert->config();
  const TextTargets to(outputs, text.wanted, in, *bert, *model_);
  const int64_t each = std::max(in.length, in.encoder_length), most = std::min(in.items, items_in_slice(each));
  const DType type = input_type(*model_, device_ != nullptr);
  struct PassScratch {
    TextScratch text;
    OpMemory ops;
  };
  const PassScratch s = forward_scratch([&](Arena& arena) {
    PassScratch plan;
    const int64_t encoder_rows = most * in.encoder_length, padded = round_up(c.hidden_size, kStrip);
    plan.text.bert = BertScratch::plan(arena, c, most * in.length, type, DType::f32);
    if (in.has_encoder) {
      plan.text.encoder_rows = arena.take(encoder_rows, c.hidden_size, type, activation_stride(c.hidden_size, type));
      plan.text.encoder_kv = arena.take(encoder_rows, 2 * padded);
    }
    if (!text.past_key_values.empty() && !text.wanted.cache) {
      plan.text.keys = arena.take(most * in.keys(), c.hidden_size).f32();
      plan.text.values = arena.take(most * in.keys(), c.hidden_size).f32();
    }
    if (device_) return plan;
    const int64_t floats = attention_scratch_floats(std::max(in.keys(), in.encoder_length), c.head_dim(), DType::f32);
    plan.ops = plan_ops(arena, *model_, team_.threads(), floats, most * each, 0);
    return plan;
  });

  Stop stop(options.cancel, options.deadline);
  for (int64_t first = 0; first < in.items; first += most) {
    const int64_t count = std::min(most, in.items - first), encoder_rows = count * in.encoder_length;
    TextSlice slice(text, in, to, *bert, s.text, device_api(), first, count);
    const BertRequest request = slice.request();
    const float* rows = in.has_encoder ? slice.encoder_hidden_states() : nullptr;
    BertScratch scratch = s.text.bert;
    run_pass(s.ops, c.num_hidden_layers, [&](Exec& ex) {
      if (in.has_encoder) {
        copy_rows(ex, s.text.encoder_rows.row_range(0, encoder_rows),
                  matrix(const_cast<float*>(rows), encoder_rows, c.hidden_size));
      }
      const Tensor pooled = bert->forward(ex, scratch, request, stop);
      if (stop.stopped()) return;
      to.embedding.make(ex, first, pooled, running_->text_projection());
    });
    throw_if_stopped(stop);
  }
  return outputs;
}

Outputs Session::forward(const VisionForward& vision, const ForwardOptions& options) {
  const Vit* vit = running_->vision();
  if (vit == nullptr) no_tower("inputs", "image");
  const VisionConfig& c = vit->config();
  check_pixels(vision, c);
  const OccupiedSession occupied(busy_);
  std::optional<DeviceScope> scope;
  if (device_) scope.emplace(where_.handle);
  const int64_t items = vision.pixel_values.shape[0], height = vision.pixel_values.shape[2],
                width = vision.pixel_values.shape[3], d = c.hidden_size, layers = c.num_hidden_layers;
  const int64_t rows = height / c.patch_size, columns = width / c.patch_size, tokens = 1 + rows * columns;
  std::vector<float> positions;
  if (height != c.image_size || width != c.image_size)
    positions = interpolated_positions(model_->vision()->position_embedding(), c.grid(), rows, columns, d);

  Outputs outputs(device_api());
  const Wanted& w = vision.wanted;
  Target last, pooler;
  std::vector<Target> hidden(static_cast<size_t>(layers) + 1), attentions(static_cast<size_t>(layers));
  if (w.last_hidden_state) last = add(outputs, "last_hidden_state", {items, tokens, d});
  if (w.pooler) pooler = add(outputs, "pooler_output", {items, d});
  for (int64_t i = 0; w.hidden_states && i <= layers; ++i)
    hidden[static_cast<size_t>(i)] = add(outputs, numbered("hidden_states", i), {items, tokens, d});
  for (int64_t i = 0; w.attentions && i < layers; ++i)
    attentions[static_cast<size_t>(i)] =
        add(outputs, numbered("attentions", i), {items, c.num_attention_heads, tokens, tokens});
  const Embedding embedding = add_embedding(outputs, w, items, *model_);

  const int64_t most = std::min(items, items_in_slice(tokens));
  const DType type = input_type(*model_, device_ != nullptr);
  struct PassScratch {
    VitScratch vit;
    OpMemory ops;
  };
  const PassScratch s = forward_scratch([&](Arena& arena) {
    PassScratch plan;
    plan.vit = VitScratch::plan(arena, c, most * tokens, most, type, DType::f32);
    if (device_) return plan;
    const int64_t floats = attention_scratch_floats(tokens, c.head_dim(), DType::f32);
    plan.ops = plan_ops(arena, *model_, team_.threads(), floats, most * tokens, tokens);
    return plan;
  });

  Stop stop(options.cancel, options.deadline);
  for (int64_t first = 0; first < items; first += most) {
    const int64_t count = std::min(most, items - first);
    std::vector<Sequence> sequences;
    for (int64_t i = 0; i < count; ++i) sequences.push_back({i * tokens, tokens, i * tokens, tokens});
    std::vector<float*> hidden_from, attentions_from;
    for (const Target& t : hidden) hidden_from.push_back(t.from(first));
    for (const Target& t : attentions) attentions_from.push_back(t.from(first));
    PassMemory memory(device_api());
    const int64_t each = c.num_channels * height * width;
    const PatchSource pixels{memory.visible(vision.pixel_values.data + first * each, count * each),
                             false,
                             nullptr,
                             height,
                             width,
                             c.num_channels,
                             c.patch_size};
    const VitRequest request{.images = count,
                             .tokens = tokens,
                             .sequences = memory.visible(sequences),
                             .positions = positions.empty() ? nullptr : memory.visible(positions).data(),
                             .attentions = attentions_from,
                             .hidden_states = hidden_from,
                             .last_hidden_state = last.from(first)};
    VitScratch scratch = s.vit;
    run_pass(s.ops, c.num_hidden_layers, [&](Exec& ex) {
      const Tensor pooled = vit->forward(ex, scratch, pixels, request, stop);
      if (stop.stopped()) return;
      if (pooler.data != nullptr) copy_rows(ex, matrix(pooler.from(first), count, d), pooled);
      embedding.make(ex, first, pooled, running_->image_projection());
    });
    throw_if_stopped(stop);
  }
  return outputs;
}

}  // namespace tw
