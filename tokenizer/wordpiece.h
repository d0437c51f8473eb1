// Greedy longest match of a word against the vocabulary (tokenizers 0.15.2, models/wordpiece/mod.rs).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tokenizer/normalizer.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace tw {

// A token of a text: what it stands for there, and the number of its word.
struct Piece {
  int32_t id;
  uint32_t begin, end;
  int32_t word;
};

// Immutable, any number of threads may match. Time per word is bounded by the product of its length and that of the
// longest token it can match, so linear in the text.
class WordPiece {
 public:
  struct Options {
    std::string continuing_prefix = "##";  // marks tokens that stand inside a word
    size_t max_word_chars = 100;           // longer words are unknown
    int32_t unknown_id = 0;
  };
  WordPiece(const Vocabulary& vocabulary, const Options& options);

  // Appends the pieces of a word that is not empty; a word that cannot be covered whole becomes one unknown piece.
  void match(std::span<const NormalizedChar> word, int32_t word_index, std::vector<Piece>& pieces) const;

  size_t max_word_chars() const { return max_word_chars_; }
  int32_t unknown_id() const { return unknown_id_; }

 private:
  Trie initial_;     // tokens that begin a word
  Trie continuing_;  // tokens with the prefix, without it
  size_t max_word_chars_;
  int32_t unknown_id_;
};

}  // namespace tw
