// The processor of a model directory.
#pragma once

#include <string>

#include "api/handles.h"

namespace tw {

// Throws what reading the tokenizer's and the image processor's files throws.
tuwen_processor load_processor(const std::string& directory);

}  // namespace tw
