// Right sides: decoders.WordPiece(cleanup=...).decode(tokens) of tokenizers 0.15.2.
#include "tokenizer/decoder.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace tw;

TEST_CASE("tokens are joined and tidied one by one") {
  struct Case {
    std::vector<std::string_view> tokens;
    std::string tidy, plain;
  };
  const std::vector<Case> cases = {
      {{"a", "I do not", "."}, "a I don't.", "a I do not ."},
      {{"do not", " do not's"}, "do not  don't's", "do not  do not's"},
      {{"we", "'ve", "I 'm"}, "we've I'm", "we 've I 'm"},
      {{"x ' y", "##'s", "n't"}, "x'y'sn't", "x ' y's n't"},
      {{"a", "b .", "##c !"}, "a b.c!", "a b .c !"},
      {{"##a", "##b", "##"}, "##ab", "##ab"},
      {{}, "", ""},
  };
  for (const Case& c : cases) {
    CHECK(join_tokens(c.tokens, "##", true) == c.tidy);
    CHECK(join_tokens(c.tokens, "##", false) == c.plain);
  }
}

TEST_CASE("spaces before English punctuation go, each rule over the whole text") {
  CHECK(clean_up_spaces("i do n't know . is it ? yes ! a , b ' c ' s i 'm it 's we 've they 're") ==
        "i don't know. is it? yes! a, b'c's i'm it's we've they're");
  CHECK(clean_up_spaces("a  ., . .") == "a .,..");
  CHECK(clean_up_spaces("do not") == "do not");
  CHECK(clean_up_spaces("").empty());
}
