// The vocabulary of the published checkpoints, where it is present.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "core/sha256.h"
#include "tests/support/temp_dir.h"
#include "tokenizer/bert_tokenizer.h"

using namespace tw;
using namespace tw::test;

namespace {

// Nothing, with a word about it, if the data is not there.
std::optional<std::string> published_vocab() {
  const char* folder = std::getenv("TUWEN_PUBLISHED_DATA");
  const std::filesystem::path path = std::filesystem::path(folder ? folder : "") / "vocab.txt";
  if (folder == nullptr || !std::filesystem::exists(path)) {
    WARN("skipped: TUWEN_PUBLISHED_DATA does not name a directory with vocab.txt");
    return std::nullopt;
  }
  return read_text(path);
}

}  // namespace

TEST_CASE("published vocabulary: the file, its size and its two entries with a line separator") {
  const std::optional<std::string> text = published_vocab();
  if (!text) return;
  CHECK(sha256(std::as_bytes(std::span(*text))) == "45bbac6b341c319adc98a532532882e91a9cefc0329aa57bac9ae761c27b291c");
  const BertTokenizer tokenizer = BertTokenizer::from_vocab_text(*text);
  CHECK(tokenizer.vocab_size() == 21128);
  CHECK(tokenizer.id_end() == 21128);
  CHECK(tokenizer.id_to_token(343) == "\u2028");
  CHECK(tokenizer.id_to_token(13502) == "##\u2028");
  CHECK(tokenizer.id_to_token(21127) == "##😎");
  CHECK(tokenizer.id_to_token(21128) == std::nullopt);
  CHECK(tokenizer.pad_id() == 0);
  CHECK(tokenizer.unk_id() == 100);
  CHECK(tokenizer.cls_id() == 101);
  CHECK(tokenizer.sep_id() == 102);
  CHECK(tokenizer.mask_id() == 103);
  for (int32_t id = 0; id < 21128; ++id) {
    if (tokenizer.token_to_id(*tokenizer.id_to_token(id)) != id) FAIL("id " << id);
  }
}

TEST_CASE("published vocabulary: golden ids") {
  const std::optional<std::string> text = published_vocab();
  if (!text) return;
  const BertTokenizer tokenizer = BertTokenizer::from_vocab_text(*text);
  const std::vector<std::pair<std::string, std::vector<int32_t>>> goldens = {
      {"杰尼龟", {101, 3345, 2225, 7991, 102}},
      {"妙蛙种子", {101, 1975, 6032, 4905, 2094, 102}},
      {"小火龙", {101, 2207, 4125, 7987, 102}},
      {"皮卡丘", {101, 4649, 1305, 687, 102}},
      {"Hello, my dog is cute", {101, 8701, 117, 8422, 13030, 8310, 12322, 8154, 102}},
      {"高级感托特包斜挎", {101, 7770, 5277, 2697, 2805, 4294, 1259, 3162, 2903, 102}},
      {"一张jpeg照片，2023年！", {101, 671, 2476, 11985, 4212, 4275, 8024, 9707, 8152, 2399, 8013, 102}},
      {"ＡＢＣ１２３", {101, 8051, 12641, 10675, 8939, 8929, 9089, 102}},
      {"Café naïve", {101, 8377, 11469, 8857, 102}},
      {"don't", {101, 9524, 112, 162, 102}},
      {"“你好”", {101, 100, 872, 1962, 100, 102}},
      {"\"你好\"", {101, 107, 872, 1962, 107, 102}},
      {"İstanbul", {101, 8310, 10105, 11381, 8178, 102}},
      {"がぎぐ", {101, 541, 8816, 8763, 102}},
      {"①②", {101, 405, 13557, 102}},
      {"😀😎", {101, 100, 102}},
      {"𠮷野家", {101, 100, 7029, 2157, 102}},
      {"", {101, 102}},
      {" \t\n", {101, 102}},
      {"x\u2028y", {101, 166, 167, 102}},
      {"[MASK]是[CLS]", {101, 103, 3221, 101, 102}},
      {std::string(101, 'a'), {101, 100, 102}},
      {"ΟΔΟΣ", {101, 222, 13383, 13392, 13396, 102}},
      {"a\U0002B820b", {101, 100, 102}},
      {"\uE000x", {101, 166, 102}},
      {"a\xED\xA0\x80"
       "b",
       {101, 9386, 102}}};
  for (const auto& [input, ids] : goldens) {
    INFO(input);
    CHECK(tokenizer.encode(input).ids == ids);
  }
  EncodeOptions tools;
  tools.evaluation_preprocessing = true;
  CHECK(tokenizer.encode("“你好”", tools).ids == std::vector<int32_t>{101, 107, 872, 1962, 107, 102});
  CHECK(tokenizer.encode("ΟΔΟΣ", tools).ids == std::vector<int32_t>{101, 222, 13383, 13392, 13395, 102});
  EncodeOptions split;
  split.split_special_tokens = true;
  CHECK(tokenizer.encode("[MASK]是[CLS]", split).ids ==
        std::vector<int32_t>{101, 138, 9622, 8998, 140, 3221, 138, 12847, 8118, 140, 102});

  const std::vector<EncodeInput> names = {"杰尼龟", "妙蛙种子", "小火龙", "皮卡丘"};
  EncodeOptions padded;
  padded.padding = Padding::longest;
  const EncodedBatch batch = tokenizer.encode_batch(names, padded);
  CHECK(batch.row_begin == std::vector<int64_t>{0, 6, 12, 18, 24});
  CHECK(batch.attention_mask ==
        std::vector<uint8_t>{1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0});
  CHECK(tokenizer.decode(batch.row_ids(0)) == "[CLS] 杰 尼 龟 [SEP] [PAD]");
  CHECK(tokenizer.decode(batch.row_ids(0), {.skip_special_tokens = true}) == "杰 尼 龟");
}
