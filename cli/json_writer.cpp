#include "cli/json_writer.h"

#include <charconv>
#include <cmath>

#include "cli/utf8_text.h"

namespace tuwen_cli {
namespace {

void write_string(std::ostream& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out << '"';
  for (const char c : valid_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out << '\\' << c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out << "\\u00" << kHex[byte >> 4] << kHex[byte & 15];
    } else {
      out << c;
    }
  }
  out << '"';
}

template <class Number>
void write_number(std::ostream& out, Number number) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  out.write(text, end - text);
}

}  // namespace

void JsonWriter::separate() {
  if (need_comma_) out_ << ", ";
  need_comma_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ << bracket;
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ << bracket;
  need_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  write_string(out_, name);
  out_ << ": ";
  need_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  write_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::value(float number) {
  separate();
  if (std::isfinite(number)) {
    write_number(out_, number);
  } else {
    out_ << "null";
  }
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  separate();
  if (std::isfinite(number)) {
    write_number(out_, number);
  } else {
    out_ << "null";
  }
  return *this;
}

JsonWriter& JsonWriter::value(int64_t number) {
  separate();
  write_number(out_, number);
  return *this;
}

JsonWriter& JsonWriter::value(bool truth) {
  separate();
  out_ << (truth ? "true" : "false");
  return *this;
}

}  // namespace tuwen_cli
