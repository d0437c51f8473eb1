// Against what the reference tokenizer gave, see scripts/make_tokenizer_goldens.py.
#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/tokenizer/tokenizer_goldens.h"

using namespace tw;
using namespace tw::test;
using nlohmann::json;

namespace {

void check_details(const BertTokenizer& tokenizer, const json& cases) {
  REQUIRE(cases.size() >= 10);
  for (const json& golden : cases) {
    INFO(golden.at("inputs").dump() << ' ' << golden.at("options").dump());
    std::vector<GoldenInput> owned;
    for (const json& input : golden.at("inputs")) owned.emplace_back(input);
    std::vector<EncodeInput> inputs;
    for (const GoldenInput& input : owned) inputs.push_back(input.input());
    const EncodeOptions options = golden_options(golden.at("options"));
    if (golden.contains("error")) {
      CHECK_THROWS_AS(tokenizer.encode_batch(inputs, options), Error);
      continue;
    }
    const json ours = packed(tokenizer.encode_batch(inputs, options));
    for (const auto& [key, value] : ours.items()) {
      INFO(key);
      CHECK(value == golden.at(key));
    }
  }
}

void check_decoding(const BertTokenizer& tokenizer, const json& cases) {
  REQUIRE(cases.size() >= 10);
  for (const json& golden : cases) {
    INFO(golden.dump());
    DecodeOptions options{.skip_special_tokens = golden.at(1).get<bool>()};
    if (!golden.at(2).is_null()) options.clean_up_tokenization_spaces = golden.at(2).get<bool>();
    CHECK(tokenizer.decode(golden.at(0).get<std::vector<int32_t>>(), options) == golden.at(3).get<std::string>());
  }
}

}  // namespace

TEST_CASE("token ids of texts of every script equal the reference's") {
  const json goldens = tokenizer_goldens();
  const BertTokenizer tokenizer = small_tokenizer();
  REQUIRE(goldens.at("texts").size() >= 2000);
  std::vector<std::string> texts;
  for (const json& golden : goldens.at("texts")) texts.push_back(golden.at(0).get<std::string>());
  const std::vector<EncodeInput> inputs(texts.begin(), texts.end());
  const EncodedBatch batch = tokenizer.encode_batch(inputs);
  REQUIRE(batch.rows() == static_cast<int64_t>(texts.size()));
  for (size_t i = 0; i < texts.size(); ++i) {
    INFO(goldens.at("texts")[i].dump());
    const auto ids = batch.row_ids(static_cast<int64_t>(i));
    CHECK(json(std::vector<int32_t>(ids.begin(), ids.end())) == goldens.at("texts")[i].at(1));
  }
}

TEST_CASE("pairs, words, truncation, windows, padding and offsets equal the reference's") {
  const json goldens = tokenizer_goldens();
  check_details(small_tokenizer(), goldens.at("details"));
}

TEST_CASE("decoded text equals the reference's") {
  const json goldens = tokenizer_goldens();
  check_decoding(small_tokenizer(), goldens.at("decode"));
}

TEST_CASE("tokenizer files of every kind are read as the reference reads them") {
  const json goldens = tokenizer_goldens();
  for (const json& golden : goldens.at("directories")) {
    INFO(golden.at("name"));
    const TempDir folder;
    for (const auto& [name, content] : golden.at("files").items()) {
      folder.write(name, content.is_null() ? small_vocab() : content.get<std::string>());
    }
    const BertTokenizer tokenizer = BertTokenizer::from_directory(folder.path().string());
    json added = json::object();
    for (const auto& [id, token] : tokenizer.added_tokens().by_id()) added[token.content] = id;
    CHECK(added == golden.at("added"));
    CHECK(json(tokenizer.all_special_ids()) == golden.at("special_ids"));
    check_details(tokenizer, golden.at("details"));
    check_decoding(tokenizer, golden.at("decode"));
  }
}
