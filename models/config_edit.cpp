#include <nlohmann/json.hpp>

#include "io/json_text.h"
#include "models/checkpoint_edit.h"

namespace tw {
namespace {

using nlohmann::ordered_json;

// Keys keep their order. The text has been parsed before.
ordered_json parsed(std::string_view text) {
  parse_json(text, "config.json");
  return ordered_json::parse(text);
}

std::string text_of(const ordered_json& config) { return config.dump(2) + "\n"; }

}  // namespace

// transformers 4.37.2, ChineseCLIPTextConfig.from_pretrained: a full file's text_config, whatever text_config_dict
// says.
std::string config_of_tower(std::string_view config_json, bool text) {
  const ordered_json whole = parsed(config_json);
  const auto found = whole.find(text ? "text_config" : "vision_config");
  ordered_json alone = found != whole.end() && found->is_object() ? *found : ordered_json::object();
  alone["model_type"] = text ? "chinese_clip_text_model" : "chinese_clip_vision_model";
  return text_of(alone);
}

std::string config_with_pruned_heads(std::string_view config_json,
                                     const std::map<int64_t, std::vector<int64_t>>& pruned) {
  ordered_json whole = parsed(config_json);
  ordered_json heads = ordered_json::object();
  for (const auto& [layer, list] : pruned) heads[std::to_string(layer)] = list;
  const auto type = whole.find("model_type");
  const bool alone = type != whole.end() && *type == "chinese_clip_text_model";
  if (alone) {
    whole["pruned_heads"] = heads;
    return text_of(whole);
  }
  if (const auto legacy = whole.find("text_config_dict"); legacy != whole.end() && legacy->is_object())
    (*legacy)["pruned_heads"] = heads;
  ordered_json& section = whole["text_config"];
  if (!section.is_object()) section = ordered_json::object();
  section["pruned_heads"] = heads;
  return text_of(whole);
}

}  // namespace tw
