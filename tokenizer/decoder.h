// From tokens back to text (tokenizers 0.15.2, decoders/wordpiece.rs; transformers 4.37.2, clean_up_tokenization).
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tw {

// The first token as it is; others lose `prefix` if they have it, else get a space in front. `cleanup` tidies each
// token by itself.
std::string join_tokens(std::span<const std::string_view> tokens, std::string_view prefix, bool cleanup);

// Takes the spaces away that tokenisation put before English punctuation and contractions.
std::string clean_up_spaces(std::string text);

}  // namespace tw
