#include "tokenizer/unicode.h"

#include <algorithm>
#include <iterator>

namespace tw::unicode {
namespace {

// Unicode 15, section 3.12: a Hangul syllable is a leading consonant, a vowel and perhaps a trailing consonant.
constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTailsBefore = 0x11A7;
constexpr char32_t kVowelCount = 21, kTailCount = 28, kSyllableCount = 19 * kVowelCount * kTailCount;

constexpr char32_t kCapitalIWithDot = 0x130;  // the one character whose lower case is two: i, combining dot above

ShortText decompose_hangul(char32_t syllable) {
  ShortText out;
  out.push(kLeads + syllable / (kVowelCount * kTailCount));
  out.push(kVowels + syllable / kTailCount % kVowelCount);
  if (syllable % kTailCount != 0) out.push(kTailsBefore + syllable % kTailCount);
  return out;
}

}  // namespace

ShortText decompose(char32_t c) {
  if (c >= kSyllables && c < kSyllables + kSyllableCount) return decompose_hangul(c - kSyllables);
  ShortText out;
  const auto found = std::ranges::lower_bound(kDecompositions, c, {}, &Decomposition::code);
  if (found == std::end(kDecompositions) || found->code != c) {
    out.push(c);
  } else {
    for (uint32_t i = 0; i < found->length; ++i) out.push(kDecompositionText[found->begin + i]);
  }
  return out;
}

ShortText lower(char32_t c) {
  ShortText out;
  if (c < 0x80) {  // spares most texts the search
    out.push(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    return out;
  }
  if (c == kCapitalIWithDot) {
    out.push('i');
    out.push(0x307);
    return out;
  }
  const auto after = std::ranges::upper_bound(kLowerRanges, c, {}, &LowerRange::first);
  if (after != std::begin(kLowerRanges)) {
    const LowerRange& range = *std::prev(after);
    if (c <= range.last && (c - range.first) % range.stride == 0) {
      out.push(static_cast<char32_t>(static_cast<int64_t>(c) + range.delta));
      return out;
    }
  }
  out.push(c);
  return out;
}

}  // namespace tw::unicode
