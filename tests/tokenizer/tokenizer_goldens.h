// Reads tests/data/tokenizer, which scripts/make_tokenizer_goldens.py wrote.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tokenizer/bert_tokenizer.h"

namespace tw::test {

inline std::string small_vocab() { return read_text(TUWEN_TEST_DATA "/tokenizer/vocab.txt"); }

inline BertTokenizer small_tokenizer(const BertTokenizerConfig& config = {}) {
  return BertTokenizer::from_vocab_text(small_vocab(), config);
}

inline nlohmann::json tokenizer_goldens() {
  return nlohmann::json::parse(read_text(TUWEN_TEST_DATA "/tokenizer/goldens.json"));
}

// An input of a golden and the strings that it refers to.
class GoldenInput {
 public:
  explicit GoldenInput(const nlohmann::json& input) {
    for (const nlohmann::json& text : input) texts_.push_back(Text(text));
    for (Text& text : texts_) text.views.assign(text.words.begin(), text.words.end());
  }
  EncodeInput input() const {
    if (texts_.size() == 1) return EncodeInput(sequence(texts_[0]));
    return EncodeInput(sequence(texts_[0]), sequence(texts_[1]));
  }

 private:
  struct Text {
    explicit Text(const nlohmann::json& j) : split(j.is_array()) {
      if (split) {
        words = j.get<std::vector<std::string>>();
      } else {
        words.push_back(j.get<std::string>());
      }
    }
    bool split;
    std::vector<std::string> words;
    std::vector<std::string_view> views;
  };
  static TextSequence sequence(const Text& text) {
    return text.split ? TextSequence(std::span<const std::string_view>(text.views)) : TextSequence(text.words[0]);
  }
  std::vector<Text> texts_;
};

EncodeOptions golden_options(const nlohmann::json& options);

// The answer in the form of the goldens: rows of numbers, masks as digits.
nlohmann::json packed(const EncodedBatch& batch);

}  // namespace tw::test
