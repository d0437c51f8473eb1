// Built-in inputs for whoever has none at hand.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace tuwen_cli {

// Chinese texts from one word to about 50 tokens.
std::vector<std::string> sample_texts();

// Drawn pictures of different sizes and kinds; the same ones everywhere.
constexpr size_t kSamplePictures = 6;
tuwen::Image sample_picture(size_t index);

}  // namespace tuwen_cli
