// What the tokenizer asks about a code point. The answers are the reference tokenizer's, see unicode_tables.h.
#pragma once

#include <array>
#include <span>

#include "tokenizer/unicode_tables.h"

namespace tw::unicode {

// Any value may be asked about; those over U+10FFFF have no property.
inline Traits traits(char32_t c) {
  if (c >= kCodePointEnd) return {};
  const uint32_t block = kBlocks[c >> kBlockBits];
  return kTraits[kClasses[(block << kBlockBits) | (c & ((1u << kBlockBits) - 1))]];
}

// Up to four code points: no canonical decomposition or lower-casing is longer.
class ShortText {
 public:
  void push(char32_t c) { codes_[size_++] = c; }
  const char32_t* begin() const { return codes_.data(); }
  const char32_t* end() const { return codes_.data() + size_; }
  size_t size() const { return size_; }
  char32_t operator[](size_t i) const { return codes_[i]; }

 private:
  std::array<char32_t, 4> codes_;
  size_t size_ = 0;
};

// Full canonical decomposition (NFD of the single character); the character itself if it has none.
ShortText decompose(char32_t c);

// Lower case of the single character, no context: U+03A3 always becomes U+03C3.
ShortText lower(char32_t c);

}  // namespace tw::unicode
