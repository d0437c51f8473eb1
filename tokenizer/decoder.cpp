#include "tokenizer/decoder.h"

#include <utility>

namespace tw {
namespace {

struct Replacement {
  std::string_view from, to;
};

// One after the other, each over the whole text, as in the reference: the order shows in what they leave.
constexpr Replacement kSpaces[] = {{" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
                                   {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
constexpr Replacement kDoNot{" do not", " don't"};  // between 'm and 's, in tokens only
constexpr size_t kBeforeDoNot = 7;

void replace_all(std::string& text, const Replacement& r) {
  size_t found = text.find(r.from);
  if (found == std::string::npos) return;
  std::string out;
  out.reserve(text.size());
  size_t at = 0;
  for (; found != std::string::npos; found = text.find(r.from, at)) {
    out.append(text, at, found - at);
    out.append(r.to);
    at = found + r.from.size();
  }
  out.append(text, at);
  text = std::move(out);
}

void clean_up_token(std::string& token) {
  size_t index = 0;
  for (const Replacement& r : kSpaces) {
    if (index++ == kBeforeDoNot) replace_all(token, kDoNot);
    replace_all(token, r);
  }
}

}  // namespace

std::string join_tokens(std::span<const std::string_view> tokens, std::string_view prefix, bool cleanup) {
  std::string text, token;
  for (size_t i = 0; i < tokens.size(); ++i) {
    token.clear();
    if (i == 0) {
      token = tokens[i];
    } else if (tokens[i].starts_with(prefix)) {
      token = tokens[i].substr(prefix.size());
    } else {
      token = " ";
      token += tokens[i];
    }
    if (cleanup && token.find(' ') != std::string::npos) clean_up_token(token);  // every rule begins with a space
    text += token;
  }
  return text;
}

std::string clean_up_spaces(std::string text) {
  for (const Replacement& r : kSpaces) replace_all(text, r);
  return text;
}

}  // namespace tw
