// What goes into the tokenizer and what comes out.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/text_encoder.h"
#include "tokenizer/truncation.h"

namespace tw {

// A text, or words that were split before: each is encoded apart, and offsets count from the start of the word.
// Any bytes; what is not UTF-8 reads as U+FFFD, which text cleaning deletes. Not owned.
class TextSequence {
 public:
  template <std::convertible_to<std::string_view> T>
  TextSequence(const T& text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  explicit TextSequence(std::span<const std::string_view> words) : words_(words), is_split_(true) {}

  bool is_split() const { return is_split_; }
  std::string_view text() const { return text_; }
  std::span<const std::string_view> words() const { return words_; }

 private:
  std::string_view text_;
  std::span<const std::string_view> words_;
  bool is_split_ = false;
};

// One text or a pair. An empty second text is a second text; the reference's single call drops it, its batch call not.
struct EncodeInput {
  template <std::convertible_to<TextSequence> T>
  EncodeInput(const T& one) : first(one) {}  // NOLINT(google-explicit-constructor)
  EncodeInput(TextSequence one, TextSequence two) : first(one), second(two) {}

  TextSequence first;
  std::optional<TextSequence> second;
};

// `automatic`: longest_first if max_length is given and nothing is padded, else none.
enum class Truncation { automatic, none, longest_first, only_first, only_second };
enum class Padding { none, longest, max_length };

struct EncodeOptions {
  bool add_special_tokens = true;     // [CLS] A [SEP] or [CLS] A [SEP] B [SEP]
  bool split_special_tokens = false;  // text such as "[SEP]" is split like any other instead of becoming that token
  Truncation truncation = Truncation::automatic;
  // In tokens, special ones included. Default: the tokenizer's model_max_length; if that is unlimited (the published
  // checkpoints), truncation does nothing and padding to max_length neither. Truncation to fewer tokens than the
  // special ones does nothing.
  std::optional<int64_t> max_length = {};
  int64_t stride = 0;            // tokens that neighbouring windows share
  bool return_overflow = false;  // what truncation cuts off comes back as further rows
  Padding padding = Padding::none;
  int64_t pad_to_multiple_of = 0;  // 0: no such rule. With truncation and padding max_length must be a multiple too
  std::optional<Side> truncation_side = {};          // default: the tokenizer's
  std::optional<Side> padding_side = {};             // default: the tokenizer's
  bool return_offsets = false;                       // fill offsets, word_ids and sequence_ids
  OffsetUnit offset_unit = OffsetUnit::code_points;  // the reference's; bytes for slicing UTF-8 strings
  bool reject_invalid_utf8 = false;                  // throw malformed, with the position, instead of reading U+FFFD
  // First do what the evaluation tools of Chinese-CLIP do: lower() as in Python, and “ ” become ". Offsets then count
  // in the text that this makes. See tokenizer/evaluation_text.h.
  bool evaluation_preprocessing = false;
};

struct Offset {
  uint32_t begin, end;
  bool operator==(const Offset&) const = default;
};

// Rows of tokens, back to back: row r holds [row_begin[r], row_begin[r + 1]) of every array.
struct EncodedBatch {
  std::vector<int32_t> ids;
  std::vector<uint8_t> type_ids;             // 1 for the second text and the [SEP] behind it
  std::vector<uint8_t> attention_mask;       // 0 for padding
  std::vector<uint8_t> special_tokens_mask;  // 1 for tokens that the tokenizer added, padding too
  // Only with return_offsets. Added tokens have offset (0, 0) and -1 in the other two.
  std::vector<Offset> offsets;
  std::vector<int32_t> word_ids;
  std::vector<int8_t> sequence_ids;  // 0 first text, 1 second

  std::vector<int64_t> row_begin{0};  // rows + 1 entries
  std::vector<int32_t> row_text;      // which input a row came from: more than one row each with return_overflow

  int64_t rows() const { return static_cast<int64_t>(row_text.size()); }
  int64_t length(int64_t row) const { return row_begin[index(row) + 1] - row_begin[index(row)]; }
  std::span<const int32_t> row_ids(int64_t row) const {
    return std::span(ids).subspan(index(row_begin[index(row)]), index(length(row)));
  }

 private:
  static size_t index(int64_t i) { return static_cast<size_t>(i); }
};

}  // namespace tw
