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

// Decodes any character.
Decoded decode_any(const char* at, const char* end);

// The character at `at`, which must lie before `end`. ASCII and U+1000 to U+CFFF, most of what is read, are decoded
// here.
inline Decoded decode(const char* at, const char* end) {
  const auto byte = [at](int i) { return static_cast<unsigned char>(at[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  if (byte(0) >= 0xE1 && byte(0) <= 0xEC && end - at >= 3 && (byte(1) & 0xC0) == 0x80 && (byte(2) & 0xC0) == 0x80) {
    return {(byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu), 3};
  }
  return decode_any(at, end);
}

// Where the first byte that is no part of a valid character stands; npos if there is none.
size_t find_invalid(std::string_view text);

// Appends a code point. Surrogates and values over U+10FFFF are appended as U+FFFD.
void append(std::string& text, char32_t code);

// All characters of a text, invalid ones as U+FFFD.
std::u32string decode_all(std::string_view text);

}  // namespace tw::utf8
