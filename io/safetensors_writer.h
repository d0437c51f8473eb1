// Writing weights as transformers' save_pretrained does.
#pragma once

#include <filesystem>
#include <string_view>

#include "io/checkpoint.h"

namespace tw {

// Writes config.json (the text as given) and model.safetensors into a directory, which is made if it is not there. Each
// tensor keeps its type. Both files get their names when both are complete, so that there is never half of one; a
// checkpoint that is open on older files of these names keeps reading those. Throws io_error, and what reading throws.
void save_checkpoint(const Checkpoint& checkpoint, std::string_view config_json,
                     const std::filesystem::path& directory);

// The tensors alone, as a safetensors file; the same guarantees.
void save_tensors(const Checkpoint& checkpoint, const std::filesystem::path& file);

}  // namespace tw
