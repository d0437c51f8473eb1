// The range of every configuration value: what this runtime is built and tested for, and no more memory than such a
// model needs.
#include <cmath>
#include <cstdio>
#include <utility>

#include "core/error.h"
#include "models/config.h"

namespace tw {
namespace {

// What messages say about where a value stands: the file, and the path of JSON keys to it.
struct Place {
  const std::string& file;
  std::string prefix;  // "text_config." or nothing

  [[noreturn]] void fail(ErrorCode code, const std::string& key, const std::string& expected,
                         const std::string& found) const {
    throw Error(code, {.file = file, .field = prefix + key, .expected = expected, .found = found});
  }
};

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

class RangeCheck {
 public:
  explicit RangeCheck(const Place& place) : place_(place) {}

  void operator()(const char* key, int64_t value, int64_t least, int64_t most) const {
    if (value < least)
      place_.fail(ErrorCode::malformed, key, "at least " + std::to_string(least), std::to_string(value));
    if (value > most)
      place_.fail(ErrorCode::limit_exceeded, key, "at most " + std::to_string(most), std::to_string(value));
  }
  void operator()(const char* key, double value, bool allowed, const char* expected) const {
    if (!allowed || !std::isfinite(value)) place_.fail(ErrorCode::malformed, key, expected, number_text(value));
  }

 private:
  const Place& place_;
};

template <class Tower>
void check_blocks(const Tower& c, const Place& place) {
  const RangeCheck range(place);
  range("hidden_size", c.hidden_size, 8, 16384);
  range("num_hidden_layers", c.num_hidden_layers, 1, 128);
  range("num_attention_heads", c.num_attention_heads, 1, 256);
  range("intermediate_size", c.intermediate_size, 1, 65536);
  if (c.hidden_size % c.num_attention_heads != 0) {
    place.fail(ErrorCode::malformed, "num_attention_heads", "a divisor of hidden_size " + std::to_string(c.hidden_size),
               std::to_string(c.num_attention_heads));
  }
  if (c.head_dim() > 512) {
    place.fail(ErrorCode::limit_exceeded, "num_attention_heads", "hidden_size / num_attention_heads of at most 512",
               std::to_string(c.head_dim()));
  }
  range("layer_norm_eps", c.layer_norm_eps, c.layer_norm_eps > 0 && c.layer_norm_eps <= 1e-2,
        "a number above 0 and at most 0.01");
  range("chunk_size_feed_forward", c.chunk_size_feed_forward, 0, int64_t{1} << 31);
}

void check_text(const TextConfig& c, const Place& place) {
  check_blocks(c, place);
  const RangeCheck range(place);
  range("vocab_size", c.vocab_size, 1, 1'000'000);
  range("max_position_embeddings", c.max_position_embeddings, 1, 8192);
  range("type_vocab_size", c.type_vocab_size, 1, 1024);
  if (c.pad_token_id) range("pad_token_id", *c.pad_token_id, -c.vocab_size, c.vocab_size - 1);
  for (const auto& [key, p] : {std::pair("hidden_dropout_prob", c.hidden_dropout_prob),
                               std::pair("attention_probs_dropout_prob", c.attention_probs_dropout_prob)})
    range(key, p, p >= 0 && p <= 1, "a number from 0 to 1");
  const std::string& positions = c.position_embedding_type;
  if (positions != "absolute" && positions != "relative_key" && positions != "relative_key_query") {
    place.fail(ErrorCode::unsupported, "position_embedding_type", "absolute, relative_key or relative_key_query",
               printable(positions));
  }
  if (c.add_cross_attention && !c.is_decoder) {
    place.fail(ErrorCode::malformed, "add_cross_attention", "false, as is_decoder is false", "true");
  }
  for (const auto& [layer, heads] : c.pruned_heads) {
    const std::string key = "pruned_heads." + std::to_string(layer);
    if (layer < 0 || layer >= c.num_hidden_layers) {
      place.fail(ErrorCode::malformed, key, "a layer below " + std::to_string(c.num_hidden_layers),
                 std::to_string(layer));
    }
    for (const int64_t head : heads) range(key.c_str(), head, 0, c.num_attention_heads - 1);
    if (static_cast<int64_t>(heads.size()) == c.num_attention_heads)
      place.fail(ErrorCode::malformed, key, "at least one head left", "none");
  }
}

void check_vision(const VisionConfig& c, const Place& place) {
  check_blocks(c, place);
  const RangeCheck range(place);
  range("projection_dim", c.projection_dim, 1, 8192);
  range("num_channels", c.num_channels, 1, 64);
  range("image_size", c.image_size, 1, 2048);
  range("patch_size", c.patch_size, 1, 64);
  if (c.patch_size > c.image_size) {
    place.fail(ErrorCode::malformed, "patch_size", "at most image_size " + std::to_string(c.image_size),
               std::to_string(c.patch_size));
  }
  range("attention_dropout", c.attention_dropout, c.attention_dropout >= 0 && c.attention_dropout <= 1,
        "a number from 0 to 1");
}

}  // namespace

void validate(const ChineseClipConfig& config, const std::string& file) {
  const bool joint = config.kind == ConfigKind::joint;
  if (config.kind != ConfigKind::vision) check_text(config.text, {file, joint ? "text_config." : ""});
  if (config.kind != ConfigKind::text) check_vision(config.vision, {file, joint ? "vision_config." : ""});
  if (!joint) return;
  const Place place{file, ""};
  const RangeCheck range(place);
  range("projection_dim", config.projection_dim, 1, 8192);
  range("logit_scale_init_value", config.logit_scale_init_value, true, "a finite number");
}

}  // namespace tw
