// The caller's lists of texts.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/bert_tokenizer.h"
#include "tuwen/tuwen.h"

namespace tw {

// Views; `pairs` may be null. Throws invalid_argument for null pointers.
std::vector<EncodeInput> inputs_of(const tuwen_text* texts, const tuwen_text* pairs, size_t count);

std::string_view checked_text(const tuwen_text& text, size_t index, const char* list);

}  // namespace tw
