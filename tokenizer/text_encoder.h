// From a text to its pieces: added tokens, normalisation, words, WordPiece.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/wordpiece.h"

namespace tw {

// What begin and end of a piece count, from the start of its text.
enum class OffsetUnit { code_points, bytes };

// The rules of a tokenizer, shared by its encoders.
struct TextRules {
  NormalizerSteps steps;
  AddedTokens added;
  WordPiece wordpiece;
};

// Holds scratch for one thread; the rules must outlive it. Texts are read in chunks, so scratch stays small however
// long they are (except in a tokenizer with normalised added tokens, and in a run of combining marks).
class TextEncoder {
 public:
  struct Options {
    bool split_special_tokens = false;  // treat the text of special tokens like any other
    OffsetUnit unit = OffsetUnit::code_points;
    size_t enough = std::numeric_limits<size_t>::max();  // pieces after which the rest of the text may be left unread
  };

  explicit TextEncoder(const TextRules& rules) : rules_(rules), normalizer_(rules.steps) {}

  // Appends the pieces of any byte string; invalid UTF-8 reads as U+FFFD. Words are numbered from 0, or all have the
  // number `word`.
  void encode(std::string_view text, std::optional<int32_t> word, const Options& options, std::vector<Piece>& pieces);

 private:
  struct Position {
    size_t byte = 0;
    uint32_t unit = 0;
  };

  bool enough() const { return pieces_->size() - pieces_before_ >= options_.enough; }
  void advance(Position& at, size_t to) const;
  void add_token(int32_t id, uint32_t begin, uint32_t end);
  void segment(Position& at, size_t to);
  void split_normalized(std::span<const NormalizedChar> text);
  void split_words(std::span<const NormalizedChar> text);
  void end_word();

  const TextRules& rules_;
  Normalizer normalizer_;

  // The text at work.
  std::string_view text_;
  Options options_;
  std::vector<Piece>* pieces_ = nullptr;
  size_t pieces_before_ = 0;
  int32_t word_number_ = 0;
  int32_t word_step_ = 1;  // 0 when all words share a number

  std::vector<NormalizedChar> word_;
  std::vector<AddedTokenMatch> matches_, normalized_matches_;
};

}  // namespace tw
