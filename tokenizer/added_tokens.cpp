#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "tokenizer/utf8.h"

namespace tw {
namespace {

bool has_flag(char32_t c, uint16_t flag) { return (unicode::traits(c).flags & flag) != 0; }

std::u32string normalized_form(const std::string& content, const NormalizerSteps& steps) {
  Normalizer normalizer(steps);
  uint32_t at = 0;
  for (const char32_t c : utf8::decode_all(content)) {
    normalizer.push(c, at, at + 1);
    ++at;
  }
  normalizer.finish();
  std::u32string form;
  for (const NormalizedChar& c : normalizer.output()) form.push_back(c.code);
  return form;
}

// The two kinds of text that are searched, with the same four questions.
struct Char {
  char32_t code;
  size_t next;  // where the next character begins
};

struct RawText {
  std::string_view text;
  const std::array<bool, 256>& starts;
  std::optional<char> only_start;

  size_t size() const { return text.size(); }
  Char at(size_t i) const {
    const utf8::Decoded c = utf8::decode(text.data() + i, text.data() + text.size());
    return {c.code, i + c.length};
  }
  // The character that ends at i > 0, and where it begins. What is no character reads as U+FFFD.
  Char before(size_t i) const {
    size_t begin = i - 1;
    while (begin > 0 && i - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    const Char c = at(begin);
    return c.next == i ? Char{c.code, begin} : Char{utf8::kReplacement, i - 1};
  }
  // The first place from i on where a token may begin.
  size_t candidate(size_t i) const {
    if (only_start) {
      const void* found = i < size() ? std::memchr(text.data() + i, *only_start, size() - i) : nullptr;
      return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : size();
    }
    while (i < size() && !starts[static_cast<unsigned char>(text[i])]) ++i;
    return i;
  }
};

struct NormalizedText {
  std::span<const NormalizedChar> text;

  size_t size() const { return text.size(); }
  Char at(size_t i) const { return {text[i].code, i + 1}; }
  Char before(size_t i) const { return {text[i - 1].code, i - 1}; }
  size_t candidate(size_t i) const { return i; }
};

}  // namespace

void AddedTokens::add(const AddedToken& token, const Vocabulary& vocabulary, const std::string& file) {
  const std::string field = "added token \"" + printable(token.content) + '"';
  if (token.content.empty()) return;
  if (token.content.size() > Vocabulary::kMaxTokenBytes || by_id_.size() >= kMaxTokens) {
    throw Error(ErrorCode::limit_exceeded, {.file = file,
                                            .field = field,
                                            .expected = std::to_string(kMaxTokens) + " added tokens of " +
                                                        std::to_string(Vocabulary::kMaxTokenBytes) + " bytes at most"});
  }
  if (utf8::decode_all(token.content).find(utf8::kReplacement) != std::u32string::npos) {
    throw Error(ErrorCode::malformed, {.file = file, .field = field, .expected = "UTF-8 without U+FFFD"});
  }
  if (token.special && special_contents_.insert(token.content).second) specials_.push_back(token);

  std::optional<int32_t> id = id_of(token.content);
  if (id && by_id_.at(*id) == token) return;
  if (!id) id = vocabulary.id_of(token.content);
  if (!id) {
    const int64_t after_added = by_id_.empty() ? 0 : int64_t{by_id_.rbegin()->first} + 1;
    id = static_cast<int32_t>(std::max(vocabulary.size(), after_added));
  }
  ids_[token.content] = *id;
  by_id_[*id] = token;
  if (!special_contents_.contains(token.content)) others_.push_back(token);
}

void AddedTokens::prepare(const NormalizerSteps& steps, const std::string& file) {
  std::vector<Trie::Entry> raw, normalized;
  for (const std::vector<AddedToken>* list : {&specials_, &others_}) {
    for (const AddedToken& token : *list) {
      const int32_t id = ids_.find(token.content)->second;
      if (token.normalized) {
        normalized.push_back({normalized_form(token.content, steps), id});
        if (normalized.back().key.empty()) {
          throw Error(ErrorCode::malformed, {.file = file,
                                             .field = "added token \"" + printable(token.content) + '"',
                                             .expected = "a character that normalisation keeps",
                                             .found = "none"});
        }
      } else {
        raw.push_back({utf8::decode_all(token.content), id});
        starts_raw_[static_cast<unsigned char>(token.content[0])] = true;
      }
    }
  }
  if (std::ranges::count(starts_raw_, true) == 1) {
    only_start_raw_ = static_cast<char>(std::ranges::find(starts_raw_, true) - starts_raw_.begin());
  }
  raw_ = Trie(std::move(raw));
  normalized_ = Trie(std::move(normalized));
}

std::optional<int32_t> AddedTokens::id_of(std::string_view content) const {
  const auto found = ids_.find(content);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const AddedToken* AddedTokens::token_of(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

template <class Text>
void AddedTokens::find_in(const Text& text, const Trie& trie, bool skip_special,
                          std::vector<AddedTokenMatch>& matches) const {
  size_t taken = 0;  // end of the last match, stripped white space included
  for (size_t at = text.candidate(0); at < text.size();) {
    size_t end = at;
    int32_t id = Trie::kNoValue;
    for (auto [node, next] = std::pair{Trie::kRoot, at}; next < text.size();) {
      const Char c = text.at(next);
      node = trie.child(node, c.code);
      if (node == Trie::kNone) break;
      next = c.next;
      if (trie.value(node) != Trie::kNoValue) {
        id = trie.value(node);
        end = next;
      }
    }
    if (id == Trie::kNoValue) {
      at = text.candidate(text.at(at).next);
      continue;
    }
    const size_t begin = at;
    at = text.candidate(end);

    const AddedToken& token = by_id_.find(id)->second;
    if (skip_special && is_special(token.content)) continue;
    if (token.single_word) {
      const bool touched_before = begin > 0 && has_flag(text.before(begin).code, unicode::kWord);
      const bool touched_behind = end < text.size() && has_flag(text.at(end).code, unicode::kWord);
      if (touched_before || touched_behind) continue;
    }
    AddedTokenMatch match{begin, end, id};
    if (token.lstrip) {
      while (match.begin > taken && has_flag(text.before(match.begin).code, unicode::kSpace)) {
        match.begin = text.before(match.begin).next;
      }
      match.begin = std::max(match.begin, taken);
    }
    if (token.rstrip) {
      while (match.end < text.size() && has_flag(text.at(match.end).code, unicode::kSpace)) {
        match.end = text.at(match.end).next;
      }
    }
    matches.push_back(match);
    taken = match.end;
  }
}

void AddedTokens::find(std::string_view text, bool skip_special, std::vector<AddedTokenMatch>& matches) const {
  find_in(RawText{text, starts_raw_, only_start_raw_}, raw_, skip_special, matches);
}

void AddedTokens::find(std::span<const NormalizedChar> text, bool skip_special,
                       std::vector<AddedTokenMatch>& matches) const {
  find_in(NormalizedText{text}, normalized_, skip_special, matches);
}

}  // namespace tw
