#include "tokenizer/text_encoder.h"

#include <algorithm>

#include "tokenizer/utf8.h"

namespace tw {
namespace {

constexpr size_t kChunkChars = 1024;  // normalised characters; the buffer stays in the L1 cache

}  // namespace

void TextEncoder::encode(std::string_view text, std::optional<int32_t> word, const Options& options,
                         std::vector<Piece>& pieces) {
  text_ = text;
  options_ = options;
  pieces_ = &pieces;
  pieces_before_ = pieces.size();
  word_number_ = word.value_or(0);
  word_step_ = word ? 0 : 1;

  matches_.clear();
  rules_.added.find(text, options.split_special_tokens, matches_);
  Position at, begin;
  for (const AddedTokenMatch& match : matches_) {
    if (enough()) return;
    // A token that begins with white space may begin inside what the token before it stripped: count on from there.
    if (at.byte < match.begin) segment(at, match.begin);
    if (at.byte <= match.begin) begin = at;
    advance(begin, match.begin);
    Position end = begin;
    advance(end, match.end);
    add_token(match.id, begin.unit, end.unit);
    at = end;
  }
  if (!enough()) segment(at, text.size());
}

void TextEncoder::advance(Position& at, size_t to) const {
  const char* const end = text_.data() + text_.size();
  while (at.byte < to) {
    const uint32_t length = utf8::decode(text_.data() + at.byte, end).length;
    at.byte += length;
    at.unit += options_.unit == OffsetUnit::bytes ? length : 1;
  }
}

void TextEncoder::add_token(int32_t id, uint32_t begin, uint32_t end) {
  pieces_->push_back({id, begin, end, word_number_});
  word_number_ += word_step_;
}

// Text between added tokens. Words do not reach across its ends.
void TextEncoder::segment(Position& at, size_t to) {
  std::vector<NormalizedChar>& output = normalizer_.output();
  output.clear();
  const bool whole = rules_.added.any_normalized();
  const char* const end = text_.data() + text_.size();
  const bool count_bytes = options_.unit == OffsetUnit::bytes;
  while (at.byte < to) {
    const utf8::Decoded c = utf8::decode(text_.data() + at.byte, end);
    const uint32_t width = count_bytes ? c.length : 1;
    normalizer_.push(c.code, at.unit, at.unit + width);
    at.byte += c.length;
    at.unit += width;
    if (output.size() >= kChunkChars && !whole) {
      split_words(output);
      output.clear();
      if (enough()) break;
    }
  }
  normalizer_.finish();
  if (whole) {
    split_normalized(output);
  } else {
    split_words(output);
    end_word();
  }
}

void TextEncoder::split_normalized(std::span<const NormalizedChar> text) {
  normalized_matches_.clear();
  rules_.added.find(text, options_.split_special_tokens, normalized_matches_);
  size_t at = 0;
  for (const AddedTokenMatch& match : normalized_matches_) {
    if (at < match.begin) split_words(text.subspan(at, match.begin - at));
    end_word();
    add_token(match.id, text[match.begin].begin, text[match.end - 1].end);
    at = match.end;
  }
  split_words(text.subspan(at));
  end_word();
}

// White space separates words, punctuation is a word of its own (tokenizers 0.15.2, pre_tokenizers/bert.rs).
void TextEncoder::split_words(std::span<const NormalizedChar> text) {
  for (const NormalizedChar& c : text) {
    if (c.flags & (unicode::kSpace | unicode::kPunctuation)) {
      end_word();
      if (c.flags & unicode::kSpace) continue;
      word_.push_back(c);
      end_word();
    } else if (word_.size() <= rules_.wordpiece.max_word_chars()) {
      word_.push_back(c);
    } else {
      word_.back().end = c.end;  // too long already: only where it ends still matters
    }
  }
}

void TextEncoder::end_word() {
  if (word_.empty()) return;
  rules_.wordpiece.match(word_, word_number_, *pieces_);
  word_number_ += word_step_;
  word_.clear();
}

}  // namespace tw
