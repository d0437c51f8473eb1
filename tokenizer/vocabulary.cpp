#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "tokenizer/utf8.h"

namespace tw {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

void check_token(std::string_view token, const std::string& file, const std::string& field) {
  if (token.size() > Vocabulary::kMaxTokenBytes) {
    throw Error(ErrorCode::limit_exceeded, {.file = file,
                                            .field = field,
                                            .expected = std::to_string(Vocabulary::kMaxTokenBytes) + " bytes at most",
                                            .found = std::to_string(token.size()) + " bytes"});
  }
  if (utf8::find_invalid(token) != std::string_view::npos) {
    throw Error(ErrorCode::malformed,
                {.file = file, .field = field, .expected = "UTF-8", .found = '"' + printable(token) + '"'});
  }
}

Error too_many_tokens(const std::string& file, const std::string& found) {
  return Error(ErrorCode::limit_exceeded, {.file = file,
                                           .field = "number of tokens",
                                           .expected = std::to_string(Vocabulary::kMaxTokens) + " at most",
                                           .found = found});
}

}  // namespace

Vocabulary Vocabulary::from_lines(std::string_view text, const std::string& file) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.empty()) {
    throw Error(ErrorCode::malformed, {.file = file, .expected = "one token a line", .found = "an empty file"});
  }
  Vocabulary vocabulary;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string field = "line " + std::to_string(vocabulary.tokens_.size() + 1);
    check_token(line, file, field);
    if (line.find('\r') != std::string_view::npos) {
      throw Error(ErrorCode::malformed, {.file = file,
                                         .field = field,
                                         .expected = "lines that end with LF or CRLF",
                                         .found = "a carriage return inside the line"});
    }
    vocabulary.tokens_.emplace_back(line);
    if (vocabulary.id_end() > kMaxTokens) throw too_many_tokens(file, "more lines");
  }
  vocabulary.index(file);
  return vocabulary;
}

Vocabulary Vocabulary::from_entries(std::vector<std::pair<std::string, int32_t>> entries, const std::string& file) {
  Vocabulary vocabulary;
  for (auto& [token, id] : entries) {
    const std::string field = "id of \"" + printable(token) + '"';
    check_token(token, file, field);
    if (id < 0 || id >= kMaxTokens) {
      throw Error(ErrorCode::limit_exceeded, {.file = file,
                                              .field = field,
                                              .expected = "0 to " + std::to_string(kMaxTokens - 1),
                                              .found = std::to_string(id)});
    }
    const auto at = static_cast<size_t>(id);
    if (at >= vocabulary.tokens_.size()) vocabulary.tokens_.resize(at + 1);
    if (vocabulary.tokens_[at]) {
      throw Error(ErrorCode::malformed, {.file = file,
                                         .field = field,
                                         .expected = "an id of its own",
                                         .found = std::to_string(id) + ", which is also the id of \"" +
                                                  printable(*vocabulary.tokens_[at]) + '"'});
    }
    vocabulary.tokens_[at] = std::move(token);
  }
  vocabulary.index(file);
  return vocabulary;
}

// Sorts, and takes the token from all but the last of equal entries.
void Vocabulary::index(const std::string& file) {
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < id_end(); ++id) {
    if (tokens_[static_cast<size_t>(id)]) ids.push_back(id);
  }
  if (ids.empty()) throw Error(ErrorCode::malformed, {.file = file, .expected = "tokens", .found = "none"});
  const auto token = [&](int32_t id) -> std::optional<std::string>& { return tokens_[static_cast<size_t>(id)]; };
  std::ranges::stable_sort(ids, [&](int32_t a, int32_t b) { return *token(a) < *token(b); });
  by_token_.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i + 1 < ids.size() && *token(ids[i]) == *token(ids[i + 1])) {
      token(ids[i]).reset();
    } else {
      by_token_.push_back(ids[i]);
    }
  }
}

std::optional<int32_t> Vocabulary::id_of(std::string_view token) const {
  const auto text = [&](int32_t id) -> std::string_view { return *tokens_[static_cast<size_t>(id)]; };
  const auto found = std::ranges::lower_bound(by_token_, token, {}, text);
  if (found == by_token_.end() || text(*found) != token) return std::nullopt;
  return *found;
}

std::optional<std::string_view> Vocabulary::token_of(int32_t id) const {
  if (id < 0 || id >= id_end() || !tokens_[static_cast<size_t>(id)]) return std::nullopt;
  return *tokens_[static_cast<size_t>(id)];
}

}  // namespace tw
