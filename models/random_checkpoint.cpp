// A model's first weights, as the reference draws them.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/jobs.h"
#include "models/checkpoint_edit.h"

namespace tw {
namespace {

// Number `index` of a stream: SplitMix64 at that place. Steele, Lea, Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014.
uint64_t bits_at(uint64_t stream, uint64_t index) {
  uint64_t z = stream + (index + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// Two independent standard normal numbers (Box and Muller 1958), a function of stream and index alone.
std::pair<double, double> normal_pair(uint64_t stream, uint64_t index) {
  const double u = static_cast<double>((bits_at(stream, 2 * index) >> 11) + 1) * 0x1p-53;  // (0, 1]
  const double v = static_cast<double>(bits_at(stream, 2 * index + 1) >> 11) * 0x1p-53;
  const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

constexpr int64_t kPairsInJob = int64_t{1} << 18;

// Collects tensors and how each is filled.
class Initializer {
 public:
  explicit Initializer(const RandomOptions& options) : options_(options) {}

  float* constant(const std::string& name, std::vector<int64_t> shape, float value) {
    int64_t count = 1;
    for (const int64_t d : shape) count *= d;
    auto values = std::make_shared<std::vector<float>>(static_cast<size_t>(count), value);
    last_ = values->data();
    tensors_.push_back({{name, DType::f32, std::move(shape)}, std::as_bytes(std::span(*values)), values});
    return last_;
  }
  void normal(const std::string& name, std::vector<int64_t> shape, double deviation) {
    float* out = constant(name, std::move(shape), 0.0f);
    const auto count = static_cast<int64_t>(tensors_.back().bytes.size() / sizeof(float));
    const uint64_t stream = bits_at(options_.seed, tensors_.size());
    run_jobs(options_.threads, (count / 2 + kPairsInJob) / kPairsInJob, [&](int64_t job) {
      for (int64_t i = job * kPairsInJob; i < (job + 1) * kPairsInJob && 2 * i < count; ++i) {
        const auto [a, b] = normal_pair(stream, static_cast<uint64_t>(i));
        out[2 * i] = static_cast<float>(a * deviation);
        if (2 * i + 1 < count) out[2 * i + 1] = static_cast<float>(b * deviation);
      }
    });
  }
  // Of the table added last: the row of padding.
  void clear_row(int64_t row, int64_t columns) { std::fill_n(last_ + row * columns, columns, 0.0f); }
  void linear(const std::string& name, int64_t n, int64_t k, double deviation) {
    normal(name + ".weight", {n, k}, deviation);
    constant(name + ".bias", {n}, 0.0f);
  }
  void layer_norm(const std::string& name, int64_t n) {
    constant(name + ".weight", {n}, 1.0f);
    constant(name + ".bias", {n}, 0.0f);
  }
  std::vector<Checkpoint::MemoryTensor> take() { return std::move(tensors_); }

 private:
  RandomOptions options_;
  std::vector<Checkpoint::MemoryTensor> tensors_;
  float* last_ = nullptr;
};

void add_text(Initializer& w, const TextConfig& c, const std::string& prefix, bool pooler) {
  const double range = c.initializer_range;  // initializer_factor has no part in this tower
  const int64_t h = c.hidden_size, d = c.head_dim();
  const std::string embeddings = prefix + "embeddings.";
  w.normal(embeddings + "word_embeddings.weight", {c.vocab_size, h}, range);
  if (c.pad_token_id) {
    const int64_t pad = *c.pad_token_id < 0 ? *c.pad_token_id + c.vocab_size : *c.pad_token_id;
    w.clear_row(pad, h);
  }
  w.normal(embeddings + "position_embeddings.weight", {c.max_position_embeddings, h}, range);
  w.normal(embeddings + "token_type_embeddings.weight", {c.type_vocab_size, h}, range);
  w.layer_norm(embeddings + "LayerNorm", h);
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::string layer = prefix + "encoder.layer." + std::to_string(i) + ".";
    const auto pruned = c.pruned_heads.find(i);
    const int64_t gone = pruned == c.pruned_heads.end() ? 0 : static_cast<int64_t>(pruned->second.size());
    const int64_t inner = (c.num_attention_heads - gone) * d;
    const auto attention = [&](const std::string& name, int64_t width) {
      for (const char* part : {"query", "key", "value"}) w.linear(name + "self." + part, width, h, range);
      w.linear(name + "output.dense", h, width, range);
      w.layer_norm(name + "output.LayerNorm", h);
    };
    attention(layer + "attention.", inner);
    if (c.position_embedding_type != "absolute")
      w.normal(layer + "attention.self.distance_embedding.weight", {2 * c.max_position_embeddings - 1, d}, 1.0);
    if (c.add_cross_attention) attention(layer + "crossattention.", h);
    w.linear(layer + "intermediate.dense", c.intermediate_size, h, range);
    w.linear(layer + "output.dense", h, c.intermediate_size, range);
    w.layer_norm(layer + "output.LayerNorm", h);
  }
  if (pooler) w.linear(prefix + "pooler.dense", h, h, range);
}

void add_vision(Initializer& w, const VisionConfig& c, const std::string& prefix, double factor) {
  const int64_t d = c.hidden_size;
  const double width = 1 / std::sqrt(static_cast<double>(d));
  const double depth = 1 / std::sqrt(2 * static_cast<double>(c.num_hidden_layers));
  const std::string embeddings = prefix + "embeddings.";
  w.normal(embeddings + "class_embedding", {d}, width * factor);
  w.normal(embeddings + "patch_embedding.weight", {d, c.num_channels, c.patch_size, c.patch_size},
           c.initializer_range * factor);
  w.normal(embeddings + "position_embedding.weight", {c.tokens(), d}, c.initializer_range * factor);
  w.layer_norm(prefix + "pre_layrnorm", d);
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::string layer = prefix + "encoder.layers." + std::to_string(i) + ".";
    for (const char* part : {"q_proj", "k_proj", "v_proj"})
      w.linear(layer + "self_attn." + part, d, d, width * depth * factor);
    w.linear(layer + "self_attn.out_proj", d, d, width * factor);
    w.layer_norm(layer + "layer_norm1", d);
    w.linear(layer + "mlp.fc1", c.intermediate_size, d, factor / std::sqrt(2 * static_cast<double>(d)));
    w.linear(layer + "mlp.fc2", d, c.intermediate_size, width * depth * factor);
    w.layer_norm(layer + "layer_norm2", d);
  }
  w.layer_norm(prefix + "post_layernorm", d);
}

}  // namespace

CheckpointParts random_checkpoint(std::string_view config_json, const RandomOptions& options) {
  const ChineseClipConfig config = parse_config(config_json, "config.json");
  Initializer w(options);
  if (config.kind == ConfigKind::text) add_text(w, config.text, "", options.pooler);
  if (config.kind == ConfigKind::vision)
    add_vision(w, config.vision, "vision_model.", config.vision.initializer_factor);
  if (config.kind == ConfigKind::joint) {
    const double factor = config.initializer_factor;  // the joint model's, for the image tower inside it too
    w.constant("logit_scale", {}, static_cast<float>(config.logit_scale_init_value));
    add_text(w, config.text, "text_model.", false);
    add_vision(w, config.vision, "vision_model.", factor);
    w.normal("visual_projection.weight", {config.projection_dim, config.vision.hidden_size},
             factor / std::sqrt(static_cast<double>(config.vision.hidden_size)));
    w.normal("text_projection.weight", {config.projection_dim, config.text.hidden_size},
             factor / std::sqrt(static_cast<double>(config.text.hidden_size)));
  }
  return {std::string(config_json), std::make_shared<const Checkpoint>(Checkpoint::of(w.take()))};
}

}  // namespace tw
