#include "cli/base64.h"

#include <array>
#include <cstdint>

namespace tuwen_cli {
namespace {

constexpr uint8_t kNone = 0xFF;

constexpr std::array<uint8_t, 256> make_values() {
  std::array<uint8_t, 256> values{};
  values.fill(kNone);
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kDigits.size(); ++i) values[static_cast<uint8_t>(kDigits[i])] = static_cast<uint8_t>(i);
  values['-'] = 62;
  values['_'] = 63;
  return values;
}

constexpr std::array<uint8_t, 256> kValues = make_values();

}  // namespace

std::optional<std::string> decode_base64(std::string_view text, std::string& problem) {
  const size_t characters = text.size();
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  text.remove_suffix(padding);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  uint32_t group = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t value = kValues[static_cast<uint8_t>(text[i])];
    if (value == kNone) {
      problem = "no base64 at character " + std::to_string(i + 1);
      return std::nullopt;
    }
    group = group << 6 | value;
    if (i % 4 == 3) {
      bytes += static_cast<char>(group >> 16);
      bytes += static_cast<char>(group >> 8);
      bytes += static_cast<char>(group);
    }
  }
  if (characters % 4 != 0) {
    problem = "base64 cut off: expected a multiple of 4 characters, found " + std::to_string(characters);
    return std::nullopt;
  }
  if (padding == 2) {
    bytes += static_cast<char>(group >> 4);
  } else if (padding == 1) {
    bytes += static_cast<char>(group >> 10);
    bytes += static_cast<char>(group >> 2);
  }
  return bytes;
}

}  // namespace tuwen_cli
