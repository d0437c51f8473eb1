#include "tokenizer/evaluation_text.h"

#include <vector>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace tw {
namespace {

constexpr char32_t kCapitalSigma = 0x3A3, kSmallSigma = 0x3C3, kFinalSigma = 0x3C2;
constexpr char32_t kLeftQuote = 0x201C, kRightQuote = 0x201D;

bool has_flag(char32_t c, uint16_t flag) { return (unicode::traits(c).flags & flag) != 0; }

}  // namespace

std::string evaluation_text(std::string_view text) {
  const std::u32string codes = utf8::decode_all(text);

  // cased_behind[i]: the first character from i on that is not case-ignorable is cased. Filled from the end, so that a
  // long run of ignorable characters is looked at once.
  std::vector<bool> cased_behind(codes.size() + 1, false);
  for (size_t i = codes.size(); i-- > 0;) {
    cased_behind[i] =
        has_flag(codes[i], unicode::kCaseIgnorable) ? cased_behind[i + 1] : has_flag(codes[i], unicode::kCased);
  }

  std::string out;
  out.reserve(text.size());
  bool cased_before = false;
  for (size_t i = 0; i < codes.size(); ++i) {
    const char32_t c = codes[i];
    if (c == kCapitalSigma) {
      utf8::append(out, cased_before && !cased_behind[i + 1] ? kFinalSigma : kSmallSigma);
    } else if (c == kLeftQuote || c == kRightQuote) {
      out.push_back('"');
    } else if (!has_flag(c, unicode::kHasLower)) {
      utf8::append(out, c);
    } else {
      for (const char32_t part : unicode::lower(c)) utf8::append(out, part);
    }
    if (!has_flag(c, unicode::kCaseIgnorable)) cased_before = has_flag(c, unicode::kCased);
  }
  return out;
}

}  // namespace tw
