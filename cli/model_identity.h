// Which model vectors come from.
#pragma once

#include <string>

#include "cli/command.h"
#include "cli/content_hash.h"

namespace tuwen_cli {

// The hash of all that decides what embeddings a model directory gives: the text of its config.json, every weight by
// name, type, shape and value, the steps of its image processor, and its vocabulary. The file that the weights are
// stored in does not count: model.safetensors and pytorch_model.bin of the same values have one identity.
// Reads every weight once, one tensor in memory at a time.
ContentHash model_identity(const std::string& directory);

}  // namespace tuwen_cli
