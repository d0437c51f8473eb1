// Tokens that are found in a text as a whole, before it is split into words: [CLS], [MASK] and what a user added
// (tokenizers 0.15.2, tokenizer/added_vocabulary.rs).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/normalizer.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace tw {

struct AddedToken {
  std::string content = {};
  bool single_word = false;  // only where no word character (regular expression \w) touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and behind it
  bool normalized = true;    // found in the normalised text by its normalised form
  bool special = false;      // left out by decode(skip_special_tokens)

  bool operator==(const AddedToken&) const = default;
};

// [begin, end) of the searched text, in bytes or, of a normalised text, in characters.
struct AddedTokenMatch {
  size_t begin, end;
  int32_t id;
};

// Fill with add(), then prepare(); afterwards immutable, any number of threads may search.
class AddedTokens {
 public:
  static constexpr size_t kMaxTokens = 100'000;

  // The id is the one the token already has, in the vocabulary or here, else the next free one. A token that is already
  // here keeps its place; its flags change as they do in the reference. Throws malformed for content that is empty, is
  // not UTF-8 or holds U+FFFD, limit_exceeded for too long or too many tokens.
  void add(const AddedToken& token, const Vocabulary& vocabulary, const std::string& file);
  // Throws malformed for a token of which normalisation leaves nothing.
  void prepare(const NormalizerSteps& steps, const std::string& file);

  std::optional<int32_t> id_of(std::string_view content) const;
  const AddedToken* token_of(int32_t id) const;  // null: not an added token
  bool is_special(std::string_view content) const { return special_contents_.contains(content); }
  const std::map<int32_t, AddedToken>& by_id() const { return by_id_; }

  // Leftmost-longest matches in order, not overlapping but for stripped white space. `skip_special` passes over special
  // tokens: their text is then split like any other.
  void find(std::string_view text, bool skip_special, std::vector<AddedTokenMatch>& matches) const;
  void find(std::span<const NormalizedChar> text, bool skip_special, std::vector<AddedTokenMatch>& matches) const;
  bool any_normalized() const { return !normalized_.is_leaf(Trie::kRoot); }

 private:
  template <class Text>
  void find_in(const Text& text, const Trie& trie, bool skip_special, std::vector<AddedTokenMatch>& matches) const;

  std::map<int32_t, AddedToken> by_id_;
  std::map<std::string, int32_t, std::less<>> ids_;
  std::vector<AddedToken> specials_, others_;  // as first added: where a token is searched follows these
  std::set<std::string, std::less<>> special_contents_;

  Trie raw_, normalized_;
  std::array<bool, 256> starts_raw_{};    // bytes that a raw token begins with
  std::optional<char> only_start_raw_{};  // the byte, if there is only one
};

}  // namespace tw
