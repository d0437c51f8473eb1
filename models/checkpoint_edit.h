// Checkpoints made of others, or of a configuration alone.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/checkpoint.h"
#include "models/chinese_clip.h"

namespace tw {

// The text of a config.json and tensors. Plain data over immutable parts.
struct CheckpointParts {
  std::string config_json;
  std::shared_ptr<const Checkpoint> tensors;
};

// One tower of a full checkpoint, to stand alone; of one tower that does: itself. Throws invalid_argument if it is the
// other one.
CheckpointParts tower_alone(const CheckpointParts& parts, Towers tower);

// Heads of the text tower taken out, {layer: heads by their first numbers}, as PreTrainedModel.prune_heads does. Throws
// invalid_argument naming what does not exist or would leave a layer without heads, and what reading throws.
CheckpointParts prune_heads(const CheckpointParts& parts, const std::map<int64_t, std::vector<int64_t>>& heads);

struct RandomOptions {
  uint64_t seed = 0;
  bool pooler = true;  // of a text tower that stands alone
  int threads = 1;     // the result is the same
};

// f32 weights from the distributions of transformers 4.37.2, modeling_chinese_clip.py, _init_weights, and
// torch.nn.Embedding's for tables of distances, which it leaves alone. Throws what parsing the configuration throws.
CheckpointParts random_checkpoint(std::string_view config_json, const RandomOptions& options);

// Texts of config.json changed. The given text is a valid configuration.
std::string config_of_tower(std::string_view config_json, bool text);
std::string config_with_pruned_heads(std::string_view config_json,
                                     const std::map<int64_t, std::vector<int64_t>>& pruned);

}  // namespace tw
