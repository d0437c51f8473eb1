// Files and options that cannot be used: which error, and what it names.
#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/support/expect_error.h"
#include "tests/tokenizer/tokenizer_goldens.h"

using namespace tw;
using namespace tw::test;
using nlohmann::json;

namespace {

const std::string kSpecials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

void expect_vocab_error(ErrorCode code, const std::string& text, const std::string& part,
                        const std::string& other = "") {
  expect_error(
      code, [&] { BertTokenizer::from_vocab_text(text, {}, "dir/vocab.txt"); }, "dir/vocab.txt", part, other);
}

// A tokenizer.json of the usual form.
json saved() {
  json root = {{"version", "1.0"},
               {"truncation", nullptr},
               {"padding", nullptr},
               {"added_tokens", json::array()},
               {"normalizer", {{"type", "BertNormalizer"}, {"clean_text", true}, {"lowercase", true}}},
               {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
               {"post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}}},
               {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
               {"model",
                {{"type", "WordPiece"},
                 {"unk_token", "[UNK]"},
                 {"continuing_subword_prefix", "##"},
                 {"max_input_chars_per_word", 100},
                 {"vocab", {{"[PAD]", 0}, {"[UNK]", 1}, {"[CLS]", 2}, {"[SEP]", 3}, {"[MASK]", 4}, {"a", 5}}}}}};
  return root;
}

BertTokenizer from_json(const std::string& tokenizer, const std::string& config = "") {
  const TempDir folder;
  folder.write("tokenizer.json", tokenizer);
  if (!config.empty()) folder.write("tokenizer_config.json", config);
  return BertTokenizer::from_directory(folder.path().string());
}

}  // namespace

TEST_CASE("vocabularies that cannot be used") {
  expect_vocab_error(ErrorCode::malformed, "", "empty file");
  expect_vocab_error(ErrorCode::malformed, "\xEF\xBB\xBF", "empty file");
  for (const std::string name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) {
    std::string text = kSpecials;
    text.replace(text.find(name), name.size(), "x");
    expect_vocab_error(ErrorCode::malformed, text, "\"" + name + "\" in the vocabulary");
  }
  expect_vocab_error(ErrorCode::malformed, kSpecials + "a\xFF\n", "line 6", "\\xff");
  expect_vocab_error(ErrorCode::malformed, kSpecials + "a\rb\n", "line 6", "carriage return");
  expect_vocab_error(ErrorCode::limit_exceeded, kSpecials + std::string(1025, 'x') + "\n", "line 6", "1025");
  expect_vocab_error(ErrorCode::limit_exceeded, std::string(1'000'001, '\n'), "1000000");
}

TEST_CASE("forms of a vocabulary file that are fine") {
  // CRLF, a byte order mark, no end of the last line; an empty line keeps its id, of equal lines the last one counts.
  const BertTokenizer tokenizer =
      BertTokenizer::from_vocab_text("\xEF\xBB\xBF[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n\r\nb\r\na\r\nb");
  CHECK(tokenizer.pad_id() == 0);
  CHECK(tokenizer.token_to_id("") == 4);
  CHECK(tokenizer.token_to_id("b") == 7);
  CHECK(tokenizer.id_to_token(5) == std::nullopt);
  CHECK(tokenizer.vocab_size() == 7);
  // [MASK] is not there: it gets the next id, as in the reference.
  CHECK(tokenizer.mask_id() == 7);
  CHECK(tokenizer.encode("a b").ids == std::vector<int32_t>{2, 6, 7, 3});
  BertTokenizerConfig no_mask;
  no_mask.mask_token.clear();
  CHECK(BertTokenizer::from_vocab_text(kSpecials, no_mask).mask_id() == std::nullopt);
}

TEST_CASE("directories and files that cannot be read") {
  const TempDir folder;
  const std::string path = folder.path().string();
  expect_error(
      ErrorCode::io_error, [&] { BertTokenizer::from_directory(path); }, path, "vocab.txt");
  expect_error(
      ErrorCode::io_error, [&] { BertTokenizer::from_directory(path + "/none"); }, "none");
  expect_error(
      ErrorCode::invalid_argument, [&] { BertTokenizer::from_files({}); }, "vocab.txt");
  expect_error(
      ErrorCode::io_error, [&] { BertTokenizer::from_files({.vocab = path + "/gone.txt"}); }, "gone.txt");
  std::filesystem::create_directory(folder.path() / "vocab.txt");
  expect_error(
      ErrorCode::io_error, [&] { BertTokenizer::from_directory(path); }, "vocab.txt", "regular file");
  std::filesystem::remove(folder.path() / "vocab.txt");
  folder.write("vocab.txt", std::string((size_t{16} << 20) + 1, '\n'));
  expect_error(
      ErrorCode::limit_exceeded, [&] { BertTokenizer::from_directory(path); }, "vocab.txt", "16777216");
}

TEST_CASE("a tokenizer.json of the usual form is read") {
  CHECK(from_json(saved().dump()).encode("A a").ids == std::vector<int32_t>{2, 5, 5, 3});
}

TEST_CASE("tokenizer.json that cannot be used") {
  struct Case {
    std::string pointer;
    json value;
    ErrorCode code;
    std::string part;
  };
  const auto malformed = ErrorCode::malformed, unsupported = ErrorCode::unsupported, limit = ErrorCode::limit_exceeded;
  const std::vector<Case> cases = {
      {"/model", nullptr, malformed, "model"},
      {"/model", 5, malformed, "model: expected an object, found 5"},
      {"/model/type", "BPE", unsupported, "found \"BPE\""},
      {"/model/vocab", nullptr, malformed, "model.vocab"},
      {"/model/vocab", {"a"}, malformed, "model.vocab: expected an object"},
      {"/model/vocab/a", "5", malformed, "model.vocab.a: expected an integer"},
      {"/model/vocab/a", 5.5, malformed, "model.vocab.a: expected an integer"},
      {"/model/vocab/a", -1, limit, "model.vocab.a"},
      {"/model/vocab/a", 1'000'000, limit, "model.vocab.a"},
      {"/model/vocab/a", uint64_t{18446744073709551615u}, malformed, "model.vocab.a"},
      {"/model/vocab/a", 0, malformed, "also the id of"},
      {"/model/vocab", {{"a", 0}}, malformed, "\"[UNK]\" in the vocabulary"},
      {"/model/unk_token", "<unk>", unsupported, "model.unk_token"},
      {"/model/unk_token", 3, malformed, "model.unk_token: expected a string"},
      {"/model/max_input_chars_per_word", -1, malformed, "max_input_chars_per_word"},
      {"/normalizer", nullptr, malformed, "normalizer"},
      {"/normalizer/type", "Sequence", unsupported, "normalizer: expected \"BertNormalizer\", found \"Sequence\""},
      {"/normalizer/clean_text", "yes", malformed, "normalizer.clean_text: expected true or false"},
      {"/pre_tokenizer/type", "Whitespace", unsupported, "pre_tokenizer"},
      {"/decoder/type", "BPEDecoder", unsupported, "decoder"},
      {"/post_processor", nullptr, malformed, "post_processor"},
      {"/post_processor/type", "RobertaProcessing", unsupported, "post_processor"},
      {"/post_processor/cls", {"[CLS]"}, malformed, "cls"},
      {"/post_processor/cls/0", "<s>", unsupported, "\"<s>\""},
      {"/post_processor",
       {{"type", "TemplateProcessing"}, {"single", json::array()}, {"pair", json::array()}},
       unsupported,
       "[CLS] A [SEP]"},
      {"/post_processor", {{"type", "TemplateProcessing"}, {"single", {{{"Other", 1}}}}}, malformed, "SpecialToken"},
      {"/added_tokens", 7, malformed, "added_tokens"},
      {"/added_tokens", {{{"id", 9}}}, malformed, "content"},
      {"/added_tokens", {{{"id", 9}, {"content", "x"}, {"lstrip", 1}}}, malformed, "lstrip: expected true or false"},
      {"/added_tokens", {{{"id", 9}, {"content", "\uFFFD"}}}, malformed, "U+FFFD"},
      {"/added_tokens", {{{"id", 9}, {"content", "\u0001"}}}, malformed, "normalisation"},
      {"/added_tokens", {{{"id", 9}, {"content", std::string(2000, 'x')}}}, limit, "1024"},
      {"/truncation", {{"direction", "Up"}}, malformed, "truncation"},
  };
  for (const Case& c : cases) {
    json root = saved();
    root[json::json_pointer(c.pointer)] = c.value;
    INFO(c.pointer << " = " << c.value.dump());
    expect_error(
        c.code, [&] { from_json(root.dump()); }, "tokenizer.json", c.part);
  }
  const std::string text = saved().dump();
  for (const size_t length : {size_t{0}, size_t{1}, text.size() / 2, text.size() - 1}) {
    expect_error(
        malformed, [&] { from_json(text.substr(0, length)); }, "tokenizer.json", "not valid JSON");
  }
  expect_error(
      malformed, [&] { from_json("[]"); }, "a JSON object");
  expect_error(
      malformed, [&] { from_json(text + std::string(1, '\0')); }, "zero byte");
  expect_error(
      malformed, [&] { from_json("{\"a\": 1e999}"); }, "out of range");
  expect_error(
      limit, [&] { from_json(std::string(100'000, '[')); }, "32 deep");
}

TEST_CASE("tokenizer_config.json that cannot be used") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"do_lower_case": 1})", "do_lower_case: expected true or false, found 1"},
      {R"({"strip_accents": "no"})", "strip_accents"},
      {R"({"padding_side": "middle"})", "\"left\""},
      {R"({"model_max_length": "long"})", "model_max_length"},
      {R"({"model_max_length": -5})", "model_max_length"},
      {R"({"cls_token": 7})", "cls_token: expected a string"},
      {R"({"cls_token": {"id": 7}})", "cls_token.content"},
      {R"({"added_tokens_decoder": {"x": {"content": "a"}}})", "decimal id"},
      {R"({"added_tokens_decoder": {"1": "a"}})", "content"},
      {R"({"additional_special_tokens": "a"})", "additional_special_tokens"},
      {R"({"sep_token": null})", "sep"},
      {R"({"pad_token": "<pad>"})", "<pad>"},
  };
  for (const auto& [config, part] : cases) {
    INFO(config);
    const Error error = error_of([&] { from_json(saved().dump(), config); });
    CHECK_THAT(error.what(), Catch::Contains(part));
    CHECK_THAT(error.what(), Catch::Contains(".json"));
  }
  CHECK(from_json(saved().dump(), R"({"model_max_length": 1e30})").config().model_max_length == std::nullopt);
  CHECK(
      from_json(saved().dump(), R"({"model_max_length": 1000000000000000019884624838656})").config().model_max_length ==
      std::nullopt);
  CHECK(from_json(saved().dump(), R"({"max_len": 512})").config().model_max_length == 512);
}

TEST_CASE("options that cannot be met") {
  const BertTokenizer tokenizer = small_tokenizer();
  const auto expect = [&](const std::string& part, const EncodeInput& input, const EncodeOptions& options) {
    expect_error(
        ErrorCode::invalid_argument, [&] { tokenizer.encode(input, options); }, part);
  };
  const EncodeInput six("的一是了我不"), pair("的一是了我不", "的一");
  EncodeOptions o;
  o.max_length = -1;
  expect("max_length", six, o);
  o = {};
  o.stride = -1;
  expect("stride", six, o);
  o = {};
  o.pad_to_multiple_of = -8;
  expect("pad_to_multiple_of", six, o);
  o = {};
  o.max_length = 5;
  o.stride = 4;
  expect("stride", six, o);
  o.stride = 3;  // the reference notices this one only when it cuts
  expect("stride: expected less than 3", six, o);
  CHECK(tokenizer.encode("的", o).ids.size() == 3);
  o = {};
  o.truncation = Truncation::only_second;
  o.max_length = 4;
  expect("only_second", six, o);
  expect("max_length", pair, o);
  o.truncation = Truncation::longest_first;
  o.padding = Padding::longest;
  o.pad_to_multiple_of = 3;
  expect("multiple of pad_to_multiple_of, 3", six, o);
  const std::vector<EncodeInput> third = {"的", "的", six};
  EncodeOptions cut;
  cut.truncation = Truncation::only_second;
  cut.max_length = 4;
  expect_error(
      ErrorCode::invalid_argument, [&] { tokenizer.encode_batch(third, cut, 2); }, "text[2]");
}

TEST_CASE("results that would be too large are refused before they are made") {
  const BertTokenizer tokenizer = small_tokenizer();
  EncodeOptions o;
  o.padding = Padding::max_length;
  o.truncation = Truncation::none;
  for (const int64_t length : {int64_t{1} << 31, INT64_MAX}) {
    o.max_length = length;
    expect_error(
        ErrorCode::limit_exceeded, [&] { tokenizer.encode("的", o); }, "1073741824");
    o.pad_to_multiple_of = 64;
  }
  EncodeOptions windows;  // every window of the first text with every window of the second
  windows.max_length = 103;
  windows.stride = 49;
  windows.return_overflow = true;
  windows.truncation = Truncation::longest_first;
  std::string text;
  for (int i = 0; i < 8000; ++i) text += "的";
  expect_error(
      ErrorCode::limit_exceeded, [&] { tokenizer.encode(EncodeInput(text, text), windows); }, "text[0]");
  CHECK(tokenizer.encode("的").ids.size() == 3);
}

TEST_CASE("decoding what is no id") {
  const BertTokenizer tokenizer = small_tokenizer();
  expect_error(
      ErrorCode::invalid_argument,
      [&] {
        tokenizer.decode(std::vector<int32_t>{4, -1});
      },
      "id", "-1");
  CHECK(tokenizer.decode(std::vector<int32_t>{4, 1'000'000, INT32_MAX, 5}) == "[CLS] [SEP]");
  CHECK(tokenizer.decode({}).empty());
  CHECK(tokenizer.convert_ids_to_tokens(std::vector<int32_t>{-1, 4, INT32_MAX}) ==
        std::vector<std::optional<std::string_view>>{std::nullopt, "[CLS]", std::nullopt});
  const std::vector<int32_t> ids = {4, 5, 4};
  expect_error(
      ErrorCode::invalid_argument,
      [&] {
        tokenizer.decode_batch(ids, std::vector<int64_t>{0, 4});
      },
      "row_begin[1]");
  expect_error(
      ErrorCode::invalid_argument,
      [&] {
        tokenizer.decode_batch(ids, std::vector<int64_t>{2, 1});
      },
      "row_begin[1]");
  CHECK(tokenizer.decode_batch(ids, std::vector<int64_t>{0, 2, 2, 3}) ==
        std::vector<std::string>{"[CLS] [SEP]", "", "[CLS]"});
}
