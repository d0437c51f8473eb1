#include "tokenizer/wordpiece.h"

#include "tokenizer/utf8.h"

namespace tw {
namespace {

// Tokens that start with `prefix`, without it. Longer ones than any word that is looked up are left out.
Trie trie_of(const Vocabulary& vocabulary, std::string_view prefix, size_t max_chars) {
  std::vector<Trie::Entry> entries;
  for (const int32_t id : vocabulary.ids_in_token_order()) {
    std::string_view token = *vocabulary.token_of(id);
    if (!token.starts_with(prefix)) continue;
    token.remove_prefix(prefix.size());
    std::u32string key = utf8::decode_all(token);
    if (key.size() <= max_chars) entries.push_back({std::move(key), id});
  }
  return Trie(std::move(entries));
}

}  // namespace

WordPiece::WordPiece(const Vocabulary& vocabulary, const Options& options)
    : initial_(trie_of(vocabulary, "", options.max_word_chars)),
      continuing_(trie_of(vocabulary, options.continuing_prefix, options.max_word_chars)),
      max_word_chars_(options.max_word_chars),
      unknown_id_(options.unknown_id) {}

void WordPiece::match(std::span<const NormalizedChar> word, int32_t word_index, std::vector<Piece>& pieces) const {
  const size_t pieces_before = pieces.size();
  bool covered = word.size() <= max_word_chars_;
  for (size_t start = 0; covered && start < word.size();) {
    const Trie& trie = start == 0 ? initial_ : continuing_;
    uint32_t node = Trie::kRoot;
    int32_t id = Trie::kNoValue;
    size_t end = start;
    for (size_t i = start; i < word.size(); ++i) {
      node = trie.child(node, word[i].code);
      if (node == Trie::kNone) break;
      if (trie.value(node) != Trie::kNoValue) {
        id = trie.value(node);
        end = i + 1;
      }
      if (trie.is_leaf(node)) break;
    }
    covered = id != Trie::kNoValue;
    if (covered) pieces.push_back({id, word[start].begin, word[end - 1].end, word_index});
    start = end;
  }
  if (!covered) {
    pieces.resize(pieces_before);
    pieces.push_back({unknown_id_, word.front().begin, word.back().end, word_index});
  }
}

}  // namespace tw
