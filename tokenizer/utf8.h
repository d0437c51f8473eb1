// UTF-8 in and out. Text comes from outside: any byte string decodes, nothing is read past the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tw::utf8 {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code;
  uint32_t length;    // bytes consumed, 1 to 4
  bool valid = true;  // false: code is U+FFFD standing for a maximal bad subsequence (Unicode 15, table 3-8)
};

// Decodes a character whose first byte is not ASCII.
Decoded decode_multibyte(const char* at, const char* end);

// The character at `at`, which must lie before `end`.
inline Decoded decode(const char* at, const char* end) {
  const auto lead = static_cast<unsigned char>(*at);
  if (lead < 0x80) return {lead, 1};
  return decode_multibyte(at, end);
}

// Where the first byte that is no part of a valid character stands; npos if there is none.
size_t find_invalid(std::string_view text);

// Appends a code point. Surrogates and values over U+10FFFF are appended as U+FFFD.
void append(std::string& text, char32_t code);

// All characters of a text, invalid ones as U+FFFD.
std::u32string decode_all(std::string_view text);

}  // namespace tw::utf8
