#include "core/error.h"

#include <cstdio>
#include <utility>

namespace tw {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid argument";
    case ErrorCode::io_error:
      return "i/o error";
    case ErrorCode::truncated:
      return "truncated";
    case ErrorCode::malformed:
      return "malformed";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::limit_exceeded:
      return "limit exceeded";
    case ErrorCode::shape_mismatch:
      return "shape mismatch";
    case ErrorCode::missing_tensor:
      return "missing tensor";
    case ErrorCode::non_finite:
      return "non-finite value";
    case ErrorCode::out_of_memory:
      return "out of memory";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::internal:
      return "internal error";
  }
  return "unknown error";
}

namespace {

std::string compose(ErrorCode code, const ErrorDetail& d) {
  std::string message{name(code)};
  if (!d.file.empty()) message += ": " + d.file;
  if (!d.field.empty()) message += ": " + d.field;
  if (!d.expected.empty()) message += ": expected " + d.expected;
  if (!d.found.empty()) message += (d.expected.empty() ? ": found " : ", found ") + d.found;
  if (!d.note.empty()) message += ": " + d.note;
  return message;
}

// Length of the valid UTF-8 sequence at the start of `text`, 0 if there is none.
size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xC2 && lead < 0xE0   ? 2
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  return length;
}

}  // namespace

Error::Error(ErrorCode code, ErrorDetail detail)
    : code_(code), detail_(std::move(detail)), message_(compose(code_, detail_)) {}

std::string printable(std::string_view text, size_t max_bytes) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (out.size() >= max_bytes) return out + "...";
    const size_t length = utf8_sequence(text.substr(i));
    const unsigned char lead = static_cast<unsigned char>(text[i]);
    if (length == 0 || lead < 0x20 || lead == 0x7F) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned>(lead));
      out += escaped;
      i += 1;
    } else {
      out.append(text.substr(i, length));
      i += length;
    }
  }
  return out;
}

}  // namespace tw
