// The tokens of a model and their ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tw {

// Immutable, any number of threads may read it.
class Vocabulary {
 public:
  static constexpr int64_t kMaxTokens = 1'000'000;
  static constexpr size_t kMaxTokenBytes = 1024;

  Vocabulary() = default;

  // One token a line; the id is the number of the line, from 0. Lines end with LF or CRLF and with nothing else: the
  // published vocabulary has U+2028 as a token. Of equal lines the last counts, as in the reference, and the ids of the
  // others have no token. Throws malformed (empty, not UTF-8, a carriage return inside a line) and limit_exceeded.
  static Vocabulary from_lines(std::string_view text, const std::string& file);

  // Any ids. Throws malformed for an id used twice, limit_exceeded for one not in [0, kMaxTokens) or a long token.
  static Vocabulary from_entries(std::vector<std::pair<std::string, int32_t>> entries, const std::string& file);

  std::optional<int32_t> id_of(std::string_view token) const;
  std::optional<std::string_view> token_of(int32_t id) const;

  int64_t size() const { return static_cast<int64_t>(by_token_.size()); }       // different tokens
  int32_t id_end() const { return static_cast<int32_t>(tokens_.size()); }       // one more than the largest id
  const std::vector<int32_t>& ids_in_token_order() const { return by_token_; }  // sorted by the bytes of the tokens

 private:
  void index(const std::string& file);

  std::vector<std::optional<std::string>> tokens_;  // by id
  std::vector<int32_t> by_token_;
};

}  // namespace tw
