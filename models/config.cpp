#include "models/config.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "io/file.h"
#include "io/json_text.h"

namespace tw {
namespace {

using nlohmann::json;

constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;

// What messages say about where a value stands: file, and the path of JSON keys to it.
struct Place {
  const std::string& file;
  std::string prefix;  // "text_config." or nothing

  [[noreturn]] void fail(ErrorCode code, const std::string& key, const std::string& expected, const std::string& found,
                         const std::string& note = {}) const {
    throw Error(code, {.file = file, .field = prefix + key, .expected = expected, .found = found, .note = note});
  }
};

std::string shown(const json& value) { return printable(value.dump(-1, ' ', true, json::error_handler_t::replace)); }

// Moves values out of one JSON object into fields. A missing key leaves the field's default; a wrong type is an error.
class Reader {
 public:
  Reader(const json& object, Place place) : object_(object), place_(std::move(place)) {}

  void operator()(const char* key, int64_t& field) const {
    if (const json* value = find(key)) field = integer(key, *value);
  }
  void operator()(const char* key, double& field) const {
    const json* value = find(key);
    if (!value) return;
    if (!value->is_number()) place_.fail(ErrorCode::malformed, key, "a number", shown(*value));
    field = value->get<double>();
  }
  void operator()(const char* key, bool& field) const {
    const json* value = find(key);
    if (!value) return;
    if (!value->is_boolean()) place_.fail(ErrorCode::malformed, key, "true or false", shown(*value));
    field = value->get<bool>();
  }
  void operator()(const char* key, std::string& field) const {
    const json* value = find(key);
    if (!value) return;
    if (!value->is_string()) place_.fail(ErrorCode::malformed, key, "a string", shown(*value));
    field = value->get<std::string>();
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& field) const {
    const json* value = find(key);
    if (!value) return;
    field.reset();
    if (!value->is_null()) (*this)(key, field.emplace());
  }
  // {"0": [3, 5]}: heads 3 and 5 of layer 0.
  void operator()(const char* key, std::map<int64_t, std::vector<int64_t>>& field) const {
    const json* value = find(key);
    if (!value) return;
    if (!value->is_object()) place_.fail(ErrorCode::malformed, key, "an object", shown(*value));
    field.clear();
    for (const auto& [layer, heads] : value->items()) {
      const std::string name = std::string(key) + "." + printable(layer);
      const bool digits =
          !layer.empty() && layer.size() <= 9 && layer.find_first_not_of("0123456789") == std::string::npos;
      if (!digits) place_.fail(ErrorCode::malformed, name, "a layer number", printable(layer));
      if (!heads.is_array()) place_.fail(ErrorCode::malformed, name, "an array", shown(heads));
      std::vector<int64_t>& list = field[std::stoll(layer)];
      for (const json& head : heads) list.push_back(integer(name, head));
      std::sort(list.begin(), list.end());
      list.erase(std::unique(list.begin(), list.end()), list.end());
    }
  }

 private:
  const json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  int64_t integer(const std::string& key, const json& value) const {
    const bool fits = value.is_number_unsigned()
                          ? value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())
                          : value.is_number_integer();
    if (!fits) place_.fail(ErrorCode::malformed, key, "an integer", shown(value));
    return value.get<int64_t>();
  }

  const json& object_;
  Place place_;
};

// Every field of a configuration with its JSON key: used to read them and to know which keys a legacy section resets.

template <class Visitor, class Config>
void visit_common(Visitor&& visit, Config& c) {
  visit("output_attentions", c.output_attentions);
  visit("output_hidden_states", c.output_hidden_states);
  visit("return_dict", c.return_dict);
  visit("torchscript", c.torchscript);
  visit("chunk_size_feed_forward", c.chunk_size_feed_forward);
  visit("torch_dtype", c.torch_dtype);
}

template <class Visitor>
void visit_fields(Visitor&& visit, TextConfig& c) {
  visit_common(visit, c);
  visit("vocab_size", c.vocab_size);
  visit("hidden_size", c.hidden_size);
  visit("num_hidden_layers", c.num_hidden_layers);
  visit("num_attention_heads", c.num_attention_heads);
  visit("intermediate_size", c.intermediate_size);
  visit("hidden_act", c.hidden_act);
  visit("hidden_dropout_prob", c.hidden_dropout_prob);
  visit("attention_probs_dropout_prob", c.attention_probs_dropout_prob);
  visit("max_position_embeddings", c.max_position_embeddings);
  visit("type_vocab_size", c.type_vocab_size);
  visit("initializer_range", c.initializer_range);
  visit("initializer_factor", c.initializer_factor);
  visit("layer_norm_eps", c.layer_norm_eps);
  visit("pad_token_id", c.pad_token_id);
  visit("position_embedding_type", c.position_embedding_type);
  visit("use_cache", c.use_cache);
  visit("is_decoder", c.is_decoder);
  visit("add_cross_attention", c.add_cross_attention);
  visit("pruned_heads", c.pruned_heads);
}

template <class Visitor>
void visit_fields(Visitor&& visit, VisionConfig& c) {
  visit_common(visit, c);
  visit("hidden_size", c.hidden_size);
  visit("intermediate_size", c.intermediate_size);
  visit("projection_dim", c.projection_dim);
  visit("num_hidden_layers", c.num_hidden_layers);
  visit("num_attention_heads", c.num_attention_heads);
  visit("num_channels", c.num_channels);
  visit("image_size", c.image_size);
  visit("patch_size", c.patch_size);
  visit("hidden_act", c.hidden_act);
  visit("layer_norm_eps", c.layer_norm_eps);
  visit("attention_dropout", c.attention_dropout);
  visit("initializer_range", c.initializer_range);
  visit("initializer_factor", c.initializer_factor);
}

// The object under `key`; nullptr when it is missing or null.
const json* section(const json& root, const std::string& key, const Place& place) {
  const auto found = root.find(key);
  if (found == root.end() || found->is_null()) return nullptr;
  if (!found->is_object()) place.fail(ErrorCode::malformed, key, "an object", shown(*found));
  return &*found;
}

// Reads one tower of a joint configuration from "<name>" and the legacy "<name>_dict".
template <class Tower>
void read_tower(const json& root, const std::string& name, const Place& place, Tower& tower) {
  const json* current = section(root, name, place);
  const json* legacy = section(root, name + "_dict", place);
  // The reference completes the legacy section with the defaults and copies all of it over the current one, so that
  // nothing of the current section is left among the known keys.
  const json none = json::object();
  const json& source = legacy ? *legacy : current ? *current : none;
  visit_fields(Reader(source, {place.file, name + (legacy ? "_dict." : ".")}), tower);
}

ConfigKind kind_of(const json& root, const Place& place) {
  const auto type = root.find("model_type");
  if (type != root.end() && !type->is_null()) {
    if (!type->is_string()) place.fail(ErrorCode::malformed, "model_type", "a string", shown(*type));
    const std::string& name = type->get_ref<const std::string&>();
    if (name == "chinese_clip") return ConfigKind::joint;
    if (name == "chinese_clip_text_model") return ConfigKind::text;
    if (name == "chinese_clip_vision_model") return ConfigKind::vision;
    place.fail(ErrorCode::unsupported, "model_type",
               "chinese_clip, chinese_clip_text_model or chinese_clip_vision_model", printable(name));
  }
  for (const char* key : {"text_config", "vision_config", "text_config_dict", "vision_config_dict"})
    if (root.contains(key)) return ConfigKind::joint;
  const bool cn_clip =
      root.contains("embed_dim") || root.contains("vision_layers") || root.contains("text_hidden_size");
  place.fail(ErrorCode::unsupported, "model_type", "chinese_clip", "no model_type",
             cn_clip ? "this is a configuration of the cn_clip package, which has to be converted" : "");
}

}  // namespace

ChineseClipConfig parse_config(std::string_view text, const std::string& file) {
  const json root = parse_json(text, file, {.max_bytes = kMaxConfigBytes, .depth = 32});
  const Place place{file, ""};
  ChineseClipConfig config;
  config.kind = kind_of(root, place);
  config.json = std::string(text);
  const Reader read(root, place);
  if (config.kind == ConfigKind::text) {
    visit_fields(read, config.text);
  } else if (config.kind == ConfigKind::vision) {
    visit_fields(read, config.vision);
  } else {
    visit_common(read, config);
    read("projection_dim", config.projection_dim);
    read("logit_scale_init_value", config.logit_scale_init_value);
    read_tower(root, "text_config", place, config.text);
    read_tower(root, "vision_config", place, config.vision);
  }
  validate(config, file);
  return config;
}

ChineseClipConfig read_config(const std::filesystem::path& directory_or_file) {
  std::error_code error;
  const bool directory = std::filesystem::is_directory(directory_or_file, error);
  const std::filesystem::path path = directory ? directory_or_file / "config.json" : directory_or_file;
  return parse_config(read_whole(path, kMaxConfigBytes), printable(path.native(), 512));
}

}  // namespace tw
