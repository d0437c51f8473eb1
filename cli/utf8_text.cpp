#include "cli/utf8_text.h"

#include <cstdint>

namespace tuwen_cli {
namespace {

// Bytes of the valid sequence at the start of `text` and its code point; 0 bytes if there is none.
struct Sequence {
  size_t bytes;
  uint32_t code_point;
};

Sequence sequence_at_start(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  static constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xC2 || lead > 0xF4 || bytes > text.size()) return {0, 0};
  uint32_t code_point = lead & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0, 0};
    code_point = code_point << 6 | (byte(i) & 0x3Fu);
  }
  const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
  if (code_point < kSmallest[bytes] || code_point > 0x10FFFF || surrogate) return {0, 0};
  return {bytes, code_point};
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const size_t bytes = sequence_at_start(text).bytes;
    if (bytes == 0) {
      valid += "\xEF\xBF\xBD";
      text.remove_prefix(1);
    } else {
      valid += text.substr(0, bytes);
      text.remove_prefix(bytes);
    }
  }
  return valid;
}

std::u32string code_points(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::u32string points;
  for (std::string_view rest = valid; !rest.empty();) {
    const auto [bytes, code_point] = sequence_at_start(rest);
    points += static_cast<char32_t>(code_point);
    rest.remove_prefix(bytes);
  }
  return points;
}

std::string one_line(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::string line;
  for (std::string_view rest = valid; !rest.empty();) {
    const auto [bytes, code_point] = sequence_at_start(rest);
    const bool control = code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
    line += control ? std::string_view(" ") : rest.substr(0, bytes);
    rest.remove_prefix(bytes);
  }
  return line;
}

}  // namespace tuwen_cli
