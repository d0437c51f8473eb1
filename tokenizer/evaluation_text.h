// The text preprocessing of Chinese-CLIP's evaluation tools (cn_clip/eval/data.py, _preprocess_text).
#pragma once

#include <string>
#include <string_view>

namespace tw {

// text.lower() as in Python, where a capital sigma at the end of a word becomes the final one, then “ and ” become ".
// Invalid UTF-8 becomes U+FFFD.
std::string evaluation_text(std::string_view text);

}  // namespace tw
