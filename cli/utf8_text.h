// Text that comes from the command line or a file and goes to a terminal or into JSON.
#pragma once

#include <string>
#include <string_view>

namespace tuwen_cli {

// The text with every byte that is not part of valid UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

// Fit for one line on a terminal: control characters, which could move the cursor, become spaces.
std::string one_line(std::string_view text);

// Its characters, U+FFFD for every byte that is not part of valid UTF-8.
std::u32string code_points(std::string_view text);

}  // namespace tuwen_cli
