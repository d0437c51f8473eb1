#include "models/checkpoint_edit.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "core/error.h"

namespace tw {
namespace {

std::string prefix_of(const ChineseClipConfig& config) { return config.kind == ConfigKind::joint ? "text_model." : ""; }

// The tensor in memory with only the blocks of rows or columns that stay. A block is `each` rows, or columns.
Checkpoint::MemoryTensor keep_blocks(const Checkpoint& from, const std::string& name, const std::vector<int64_t>& kept,
                                     int64_t each, bool columns) {
  const TensorInfo* tensor = from.find(name);
  if (tensor == nullptr || tensor->shape.empty() || (columns && tensor->shape.size() != 2))
    throw Error(ErrorCode::missing_tensor, {.field = tensor_field(name)});
  const int64_t rows = tensor->shape[0], width = tensor->shape.size() > 1 ? tensor->shape[1] : 1;
  const int64_t needed = (kept.empty() ? 0 : kept.back() + 1) * each;
  if (needed > (columns ? width : rows))
    throw Error(ErrorCode::shape_mismatch, {.field = tensor_field(name), .found = shape_text(tensor->shape)});
  const int64_t element = size_of(tensor->dtype), stay = static_cast<int64_t>(kept.size()) * each;
  std::vector<std::byte> all(static_cast<size_t>(rows * width * element));
  from.read_as_stored(*tensor, all);

  const int64_t new_rows = columns ? rows : stay, new_width = columns ? stay : width;
  auto bytes = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(new_rows * new_width * element));
  std::byte* to = bytes->data();
  const auto copy = [&](int64_t row, int64_t column, int64_t count) {
    std::memcpy(to, all.data() + (row * width + column) * element, static_cast<size_t>(count * element));
    to += count * element;
  };
  if (columns) {
    for (int64_t r = 0; r < rows; ++r)
      for (const int64_t block : kept) copy(r, block * each, each);
  } else {
    for (const int64_t block : kept) copy(block * each, 0, each * width);
  }
  Checkpoint::MemoryTensor result{{name, tensor->dtype, tensor->shape}, *bytes, bytes};
  result.info.shape[columns ? 1 : 0] = stay;
  return result;
}

}  // namespace

CheckpointParts tower_alone(const CheckpointParts& parts, Towers tower) {
  const ChineseClipConfig config = parse_config(parts.config_json, "config.json");
  const bool text = tower == Towers::text;
  if (config.kind != ConfigKind::joint) {
    if (config.kind == (text ? ConfigKind::text : ConfigKind::vision)) return parts;
    throw Error(ErrorCode::invalid_argument, {.field = "tower", .note = "the checkpoint is of the other tower"});
  }
  const std::string prefix = text ? "text_model." : "vision_model.";
  const auto rename = [&](const std::string& name) -> std::optional<std::string> {
    if (!name.starts_with(prefix)) return std::nullopt;
    return text ? name.substr(prefix.size()) : name;  // the reference's image tower alone keeps its prefix
  };
  return {config_of_tower(parts.config_json, text),
          std::make_shared<const Checkpoint>(Checkpoint::derived(parts.tensors, rename, {}))};
}

CheckpointParts prune_heads(const CheckpointParts& parts, const std::map<int64_t, std::vector<int64_t>>& heads) {
  const ChineseClipConfig config = parse_config(parts.config_json, "config.json");
  if (config.kind == ConfigKind::vision)
    throw Error(ErrorCode::unsupported, {.field = "checkpoint", .note = "heads of the text tower alone can be pruned"});
  const TextConfig& c = config.text;
  std::map<int64_t, std::vector<int64_t>> pruned = c.pruned_heads;
  std::vector<Checkpoint::MemoryTensor> changed;
  for (const auto& [layer, list] : heads) {
    if (layer < 0 || layer >= c.num_hidden_layers) {
      throw Error(ErrorCode::invalid_argument, {.field = "layers",
                                                .expected = "0 to " + std::to_string(c.num_hidden_layers - 1),
                                                .found = std::to_string(layer)});
    }
    const std::set<int64_t> before(pruned[layer].begin(), pruned[layer].end());
    std::set<int64_t> after = before;
    for (const int64_t head : list) {
      if (head < 0 || head >= c.num_attention_heads) {
        throw Error(ErrorCode::invalid_argument, {.field = "heads",
                                                  .expected = "0 to " + std::to_string(c.num_attention_heads - 1),
                                                  .found = std::to_string(head)});
      }
      after.insert(head);
    }
    pruned[layer].assign(after.begin(), after.end());
    if (after.empty()) pruned.erase(layer);
    if (static_cast<int64_t>(after.size()) == c.num_attention_heads) {
      throw Error(ErrorCode::invalid_argument,
                  {.field = "heads", .expected = "a head left in layer " + std::to_string(layer), .found = "none"});
    }
    if (after == before) continue;
    std::vector<int64_t> kept;  // places in today's tensors
    int64_t place = 0;
    for (int64_t head = 0; head < c.num_attention_heads; ++head) {
      if (before.contains(head)) continue;
      if (!after.contains(head)) kept.push_back(place);
      ++place;
    }
    const std::string attention = prefix_of(config) + "encoder.layer." + std::to_string(layer) + ".attention.";
    for (const char* part : {"self.query", "self.key", "self.value"}) {
      for (const char* kind : {".weight", ".bias"})
        changed.push_back(keep_blocks(*parts.tensors, attention + part + kind, kept, c.head_dim(), false));
    }
    changed.push_back(keep_blocks(*parts.tensors, attention + "output.dense.weight", kept, c.head_dim(), true));
  }
  const auto same = [](const std::string& name) -> std::optional<std::string> { return name; };
  return {config_with_pruned_heads(parts.config_json, pruned),
          std::make_shared<const Checkpoint>(Checkpoint::derived(parts.tensors, same, std::move(changed)))};
}

}  // namespace tw
