// Checkpoints of the original cn_clip package, seen under the names and shapes that transformers uses.
#pragma once

#include <string>
#include <vector>

#include "io/stored_tensor.h"

namespace tw {

// Whether the names are those of a cn_clip state dict: "visual." and "bert." at the top, maybe after "module.".
bool is_cn_clip(const std::vector<StoredTensor>& tensors);

// Renames, and reinterprets where the layout differs, without reading: the two projections are transposed, stacked
// query, key and value weights become three tensors that share their storage, bert.pooler.* is dropped. Names that the
// table does not have stay as they are, for the model to report. Throws unsupported for ResNet image towers,
// shape_mismatch for a stacked tensor whose first dimension is no multiple of three. Source: transformers 4.37.2,
// convert_chinese_clip_original_pytorch_to_hf.py; cn_clip, clip/model.py, convert_state_dict.
std::vector<StoredTensor> hugging_face_names(std::vector<StoredTensor> tensors, const std::string& file);

}  // namespace tw
