#include "cli/python_json.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

constexpr int kSmallestFixed = -4, kLargestFixed = 15;  // exponents of ten: float.__repr__

template <class Numbers, class Append>
void append_list(std::string& out, const Numbers& numbers, Append append) {
  out += '[';
  bool first = true;
  for (const auto number : numbers) {
    if (!first) out += ", ";
    first = false;
    append(number);
  }
  out += ']';
}

}  // namespace

void append_python_float(std::string& out, double number) {
  if (std::isnan(number)) {
    out += "NaN";
    return;
  }
  if (std::signbit(number)) out += '-';
  number = std::fabs(number);
  if (std::isinf(number)) {
    out += "Infinity";
    return;
  }
  char text[40];  // d.ddde+xx, the shortest digits
  const char* const end = std::to_chars(text, text + sizeof text, number, std::chars_format::scientific).ptr;
  const std::string_view all(text, static_cast<size_t>(end - text));
  const size_t e = all.find('e');
  std::string digits(1, all[0]);
  if (e > 2) digits += all.substr(2, e - 2);
  const int exponent = std::atoi(std::string(all.substr(e + 1)).c_str());
  const auto count = static_cast<int>(digits.size());
  if (exponent < kSmallestFixed || exponent > kLargestFixed) {
    out += digits[0];
    if (count > 1) out.append(".").append(digits, 1);
    char tail[16];
    std::snprintf(tail, sizeof tail, "e%+03d", exponent);
    out += tail;
  } else if (exponent < 0) {
    out.append("0.").append(static_cast<size_t>(-exponent - 1), '0').append(digits);
  } else if (count <= exponent + 1) {
    out.append(digits).append(static_cast<size_t>(exponent + 1 - count), '0').append(".0");
  } else {
    const auto whole = static_cast<size_t>(exponent + 1);
    out.append(digits, 0, whole).append(".").append(digits, whole);
  }
}

void append_python_rounded(std::string& out, double number) {
  if (!std::isfinite(number)) return append_python_float(out, number);
  char text[400];  // round() rounds the exact value, halves to even, and so does printf
  std::snprintf(text, sizeof text, "%.6f", number);
  append_python_float(out, std::strtod(text, nullptr));
}

void append_python_floats(std::string& out, std::span<const float> numbers) {
  append_list(out, numbers, [&](float number) { append_python_float(out, static_cast<double>(number)); });
}

void append_python_ints(std::string& out, std::span<const int64_t> numbers) {
  append_list(out, numbers, [&](int64_t number) { out += std::to_string(number); });
}

void append_python_string(std::string& out, const std::string& text) {
  const auto escape = [&](uint32_t unit) {
    char code[16];
    std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(unit));
    out += code;
  };
  out += '"';
  for (const char32_t c : code_points(text)) {
    static constexpr std::string_view kNamed = "\"\\\n\r\t\b\f", kNames = "\"\\nrtbf";
    const size_t named = c < 0x80 ? kNamed.find(static_cast<char>(c)) : std::string_view::npos;
    if (named != std::string_view::npos) {
      out.append("\\").append(1, kNames[named]);
    } else if (c >= 0x20 && c < 0x7F) {
      out += static_cast<char>(c);
    } else if (c < 0x10000) {
      escape(c);
    } else {
      escape(0xD800 + ((c - 0x10000) >> 10));
      escape(0xDC00 + ((c - 0x10000) & 0x3FF));
    }
  }
  out += '"';
}

}  // namespace tuwen_cli
