// Texts as Chinese-CLIP's own evaluation tools (cn_clip/eval of OFA-Sys/Chinese-CLIP) encode them.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "cli/command.h"

namespace tuwen_cli {

// Normalised embeddings: lower-cased, curly quotes made straight, "[SEP]" in a text is ordinary characters, and what is
// beyond `context_length` tokens, [CLS] and [SEP] included, is cut off (0: nothing is). A text that the model's
// position table does not hold is a Failure naming place(i).
tuwen::Matrix encode_evaluation_texts(tuwen::Session& session, const tuwen::Model& model,
                                      std::span<const std::string> texts, int64_t context_length,
                                      const std::function<std::string(size_t)>& place);

}  // namespace tuwen_cli
