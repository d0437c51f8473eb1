// Base64 (RFC 4648), as pictures lie in text files.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tuwen_cli {

// The bytes; both alphabets count, + and / or - and _. Padding is required and nothing else may stand in between: where
// the text is wrong, `problem` says what and where, and there is no value.
std::optional<std::string> decode_base64(std::string_view text, std::string& problem);

}  // namespace tuwen_cli
