// The configuration of a Chinese-CLIP model, as transformers 4.37.2 reads it from config.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tw {

// What both towers inherit from PretrainedConfig and the models here look at. Defaults are the class's own.
struct CommonConfig {
  bool output_attentions = false;
  bool output_hidden_states = false;
  bool return_dict = true;
  bool torchscript = false;             // true also turns return_dict off
  int64_t chunk_size_feed_forward = 0;  // 0: not chunked
  std::optional<std::string> torch_dtype;
};

// ChineseCLIPTextConfig: a BERT.
struct TextConfig : CommonConfig {
  int64_t vocab_size = 30522;
  int64_t hidden_size = 768;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t intermediate_size = 3072;
  std::string hidden_act = "gelu";
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  int64_t max_position_embeddings = 512;
  int64_t type_vocab_size = 2;
  double initializer_range = 0.02;
  double initializer_factor = 1.0;
  double layer_norm_eps = 1e-12;
  std::optional<int64_t> pad_token_id = 0;
  std::string position_embedding_type = "absolute";  // or "relative_key", "relative_key_query"
  bool use_cache = true;
  bool is_decoder = false;
  bool add_cross_attention = false;
  std::map<int64_t, std::vector<int64_t>> pruned_heads;  // layer -> heads that its tensors lack

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
};

// ChineseCLIPVisionConfig: a ViT.
struct VisionConfig : CommonConfig {
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t projection_dim = 512;  // not used by the tower itself
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t num_channels = 3;
  int64_t image_size = 224;
  int64_t patch_size = 32;
  std::string hidden_act = "quick_gelu";
  double layer_norm_eps = 1e-5;
  double attention_dropout = 0.0;
  double initializer_range = 0.02;
  double initializer_factor = 1.0;

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
  int64_t grid() const {
    return image_size / patch_size;
  }  // patches a side; pixels beyond the last whole patch are unused
  int64_t tokens() const { return grid() * grid() + 1; }  // patches and the class token
};

enum class ConfigKind { joint, text, vision };

// ChineseCLIPConfig, or one stand-alone tower. Plain data; concurrent reads are safe.
struct ChineseClipConfig : CommonConfig {
  ConfigKind kind = ConfigKind::joint;  // `text` and `vision` fill only their own tower's struct
  TextConfig text;
  VisionConfig vision;
  int64_t projection_dim = 512;
  double logit_scale_init_value = 2.6592;
  double initializer_factor = 1.0;  // 1.0 and 0.02 whatever the file says, as the class has it
  double initializer_range = 0.02;
  std::string json;  // the text it was read from, so that saving keeps keys not listed here; empty for a built one
};

// Parses the text of a config.json; `file` stands for it in messages.
//
// Keys that are missing take the defaults above (files are saved as differences from them); unknown keys are ignored.
// A sub-configuration that is null or missing is all defaults. The legacy keys text_config_dict and vision_config_dict
// reset every known key of their tower: to their own value where they have one, else to the default. model_type picks
// the kind: chinese_clip, chinese_clip_text_model, chinese_clip_vision_model. Without model_type a file with
// text_config or vision_config is joint, anything else is unsupported.
//
// Throws malformed (not JSON, or a wrong type), limit_exceeded (a value outside the range that this runtime accepts),
// unsupported (another model_type, or the cn_clip format), naming the JSON field, e.g. "text_config.num_hidden_layers".
// Source: transformers 4.37.2, configuration_chinese_clip.py and configuration_utils.py.
ChineseClipConfig parse_config(std::string_view json, const std::string& file);

// Reads and parses `directory`/config.json (or the file itself, when given one).
ChineseClipConfig read_config(const std::filesystem::path& directory_or_file);

// The checks that parse_config makes after reading, for configurations built in code. `file` may be empty.
void validate(const ChineseClipConfig& config, const std::string& file);

}  // namespace tw
