// Texts split into words, and where tokens came from.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/api/fixtures.h"

namespace tuwen::test {
namespace {

tuwen_text text_of(std::string_view text) { return {text.data(), text.size()}; }

struct Rows {
  explicit Rows(tuwen_tokens* tokens) : rows(tokens) { check(tuwen_tokens_get_sources(tokens, &sources)); }
  std::vector<int32_t> words(size_t r) const { return part(sources.word_ids, r); }
  std::vector<int32_t> sequences(size_t r) const { return part(sources.sequence_ids, r); }
  std::vector<int32_t> part(const int32_t* array, size_t r) const {
    return {array + rows.view().row_begin[r], array + rows.view().row_begin[r + 1]};
  }

  Tokens rows;
  tuwen_token_sources sources = {};
};

const tuwen_processor* processor() { return model().processor().get(); }

}  // namespace

TEST_CASE("words are tokenized apart") {
  const tuwen_text words[] = {text_of("ab"), text_of("a b"), text_of("c")};
  const size_t begin[] = {0, 2, 3}, pair_begin[] = {0, 0, 1};
  tuwen_tokens* tokens = nullptr;
  check(tuwen_tokenize_words(processor(), words, begin, words + 2, pair_begin, 2, nullptr, &tokens));
  const Rows rows(tokens);
  REQUIRE(rows.rows.rows() == 2);
  const std::vector<int32_t> first = rows.words(0), kinds = rows.sequences(1);
  CHECK(first.front() == -1);
  CHECK(*std::max_element(first.begin(), first.end()) == 1);  // "a b" is one word, although two tokens
  CHECK(rows.sequences(0).back() == -1);
  CHECK(std::vector<int32_t>{-1, 0, -1, 1, -1} == kinds);
}

TEST_CASE("begins of words that are no ascending numbers are errors") {
  const tuwen_text words[] = {text_of("a")};
  const size_t descending[] = {0, 1, 0}, late[] = {1, 1};
  tuwen_tokens* tokens = nullptr;
  CHECK(tuwen_tokenize_words(processor(), words, descending, nullptr, nullptr, 2, nullptr, &tokens) ==
        TUWEN_INVALID_ARGUMENT);
  CHECK(std::string(tuwen_last_error()->field) == "word_begin[1]");
  CHECK(tuwen_tokenize_words(processor(), words, late, nullptr, nullptr, 1, nullptr, &tokens) ==
        TUWEN_INVALID_ARGUMENT);
  CHECK(tuwen_tokenize_words(processor(), words, nullptr, nullptr, nullptr, 1, nullptr, &tokens) ==
        TUWEN_INVALID_ARGUMENT);
  CHECK(tokens == nullptr);
}

TEST_CASE("options alone say how to preprocess") {
  const tuwen_preprocess_options options = model().processor().preprocess_options();
  const Image image = picture(3);
  int64_t height = 0, width = 0;
  check(tuwen_preprocess_size(nullptr, image.get(), &options, &height, &width));
  std::vector<float> values(static_cast<size_t>(3 * height * width));
  const tuwen_image* const handle = image.get();
  check(tuwen_preprocess(nullptr, &handle, 1, &options, values.data(), values.size()));
  CHECK(values == model().processor().preprocess({&image, 1}).data);
  CHECK(tuwen_preprocess(nullptr, &handle, 1, nullptr, values.data(), values.size()) == TUWEN_INVALID_ARGUMENT);
}

}  // namespace tuwen::test
