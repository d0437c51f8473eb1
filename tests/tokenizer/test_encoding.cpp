// Properties that need no golden: what rows are made of, and what does not depend on what.
#include <catch2/catch.hpp>
#include <chrono>
#include <ctime>
#include <numeric>
#include <thread>

#include "core/error.h"
#include "tests/support/random.h"
#include "tests/tokenizer/tokenizer_goldens.h"
#include "tokenizer/utf8.h"

using namespace tw;
using namespace tw::test;

namespace {

std::string random_bytes(Random& random) {
  static constexpr std::string_view parts[] = {
      "的",       "你好",     "hello",        "WORLD", " ",    "\t",       "é",  "e\u0301",
      "か\u3099", "한국",     "\u200d",       "[CLS]", "[SEP", "。",       ",",  "don't",
      "😀",        "\xE4\xBD", "\xED\xA0\x80", "\xFF",  "\x80", "\xF0\x9F", "\0x"};
  std::string text;
  for (int64_t n = random.integer(0, 20); n > 0; --n) text += parts[random.integer(0, std::ssize(parts) - 1)];
  return text;
}

EncodeOptions with_offsets(OffsetUnit unit = OffsetUnit::code_points) {
  EncodeOptions options;
  options.return_offsets = true;
  options.offset_unit = unit;
  return options;
}

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

TEST_CASE("bytes that are not UTF-8 encode as the text without them, and never fail") {
  const BertTokenizer tokenizer = small_tokenizer();
  Random random(7);
  int invalid = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string bytes = random_bytes(random);
    std::string scrubbed, without;
    for (const char32_t c : utf8::decode_all(bytes)) {
      utf8::append(scrubbed, c);
      if (c != utf8::kReplacement) utf8::append(without, c);
    }
    invalid += scrubbed != bytes;
    CAPTURE(i);
    CHECK(tokenizer.encode(bytes).ids == tokenizer.encode(scrubbed).ids);
    // U+FFFD stands between what is around it when added tokens are searched, so only then may the two differ.
    if (without.find('[') == std::string::npos) CHECK(tokenizer.encode(bytes).ids == tokenizer.encode(without).ids);
    CHECK(tokenizer.encode(bytes, with_offsets()).offsets == tokenizer.encode(scrubbed, with_offsets()).offsets);
  }
  CHECK(invalid > 1000);
}

TEST_CASE("random bytes never fail and every offset lies in the text") {
  const BertTokenizer tokenizer = small_tokenizer();
  Random random(11);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes;
    for (int64_t n = random.integer(0, 40); n > 0; --n) bytes.push_back(static_cast<char>(random.integer(0, 255)));
    const EncodedBatch batch = tokenizer.encode(bytes, with_offsets(OffsetUnit::bytes));
    for (const Offset& o : batch.offsets) {
      REQUIRE(o.begin <= o.end);
      REQUIRE(o.end <= bytes.size());
    }
  }
}

TEST_CASE("offsets in bytes and in code points name the same part of the text") {
  const BertTokenizer tokenizer = small_tokenizer();
  Random random(13);
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = random_bytes(random);
    const EncodedBatch points = tokenizer.encode(bytes, with_offsets());
    const EncodedBatch in_bytes = tokenizer.encode(bytes, with_offsets(OffsetUnit::bytes));
    REQUIRE(points.ids == in_bytes.ids);
    for (size_t t = 0; t < points.ids.size(); ++t) {
      const auto count = [&](uint32_t end) { return utf8::decode_all(std::string_view(bytes).substr(0, end)).size(); };
      CHECK(count(in_bytes.offsets[t].begin) == points.offsets[t].begin);
      CHECK(count(in_bytes.offsets[t].end) == points.offsets[t].end);
    }
  }
}

TEST_CASE("byte offsets cut the words out of the text") {
  const BertTokenizer tokenizer = small_tokenizer();
  const std::string text = "Hello, 你好 e\u0301X";
  const EncodedBatch batch = tokenizer.encode(text, with_offsets(OffsetUnit::bytes));
  std::vector<std::string> parts;
  for (size_t i = 1; i + 1 < batch.ids.size(); ++i) {
    parts.push_back(text.substr(batch.offsets[i].begin, batch.offsets[i].end - batch.offsets[i].begin));
  }
  CHECK(parts == std::vector<std::string>{"Hello", ",", "你", "好", "e", "X"});
  CHECK(batch.word_ids == std::vector<int32_t>{-1, 0, 1, 2, 3, 4, 4, -1});
}

TEST_CASE("invalid UTF-8 can be rejected, naming the text and the byte") {
  const BertTokenizer tokenizer = small_tokenizer();
  EncodeOptions strict;
  strict.reject_invalid_utf8 = true;
  CHECK(tokenizer.encode("你好", strict).ids.size() == 4);
  const std::vector<EncodeInput> inputs = {"ok", EncodeInput("ok", "你\xE4\xBDx")};
  CHECK_THROWS_WITH(tokenizer.encode_batch(inputs, strict), Catch::Contains("text_pair[1]: byte 3"));
}

TEST_CASE("a text has the same row alone, in any batch and with any number of threads") {
  const BertTokenizer tokenizer = small_tokenizer();
  Random random(17);
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) texts.push_back(random_bytes(random) + random_bytes(random));
  texts.push_back(std::string(200'000, 'x'));
  texts.push_back("");
  std::vector<EncodeInput> inputs;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i % 3 == 0) {
      inputs.emplace_back(texts[i], texts[texts.size() - 1 - i]);
    } else {
      inputs.emplace_back(texts[i]);
    }
  }
  EncodeOptions options = with_offsets();
  options.max_length = 12;
  options.truncation = Truncation::longest_first;
  options.stride = 2;
  options.return_overflow = true;
  const EncodedBatch one = tokenizer.encode_batch(inputs, options, 1);
  for (const int threads : {0, 2, 3, 7, 64}) {
    const EncodedBatch many = tokenizer.encode_batch(inputs, options, threads);
    CHECK(many.ids == one.ids);
    CHECK(many.type_ids == one.type_ids);
    CHECK(many.attention_mask == one.attention_mask);
    CHECK(many.special_tokens_mask == one.special_tokens_mask);
    CHECK(many.offsets == one.offsets);
    CHECK(many.word_ids == one.word_ids);
    CHECK(many.sequence_ids == one.sequence_ids);
    CHECK(many.row_begin == one.row_begin);
    CHECK(many.row_text == one.row_text);
  }
  int64_t row = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const EncodedBatch alone = tokenizer.encode(inputs[i], options);
    for (int64_t r = 0; r < alone.rows(); ++r, ++row) {
      CAPTURE(i, r);
      REQUIRE(row < one.rows());
      REQUIRE(one.row_text[static_cast<size_t>(row)] == static_cast<int32_t>(i));
      const auto a = alone.row_ids(r), b = one.row_ids(row);
      REQUIRE(std::vector(a.begin(), a.end()) == std::vector(b.begin(), b.end()));
    }
  }
  CHECK(row == one.rows());
}

TEST_CASE("one tokenizer serves many threads at once") {
  const BertTokenizer tokenizer = small_tokenizer();
  const std::vector<int32_t> expected = tokenizer.encode("hello 你好, Café! [MASK]").ids;
  const std::string text = tokenizer.decode(expected);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      const BertTokenizer copy = tokenizer;
      for (int i = 0; i < 500; ++i) {
        wrong[t] += copy.encode("hello 你好, Café! [MASK]").ids != expected;
        wrong[t] += copy.decode(expected) != text;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::accumulate(wrong.begin(), wrong.end(), 0) == 0);
}

TEST_CASE("reading stops when enough of a long text is known") {
  const BertTokenizer tokenizer = small_tokenizer();
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "的一是 hello ";
  const std::vector<int32_t> all = tokenizer.encode(text).ids;
  EncodeOptions options;
  for (const int64_t length : {2, 3, 10, 52, 5000}) {
    options.max_length = length;
    std::vector<int32_t> expected(all.begin(), all.begin() + length - 1);
    expected.push_back(tokenizer.sep_id());
    CHECK(tokenizer.encode(text, options).ids == expected);
    EncodeOptions no_step = options;  // found out although the text is not read to its end
    no_step.stride = length - 2;
    if (length > 2) CHECK_THROWS_AS(tokenizer.encode(text, no_step), Error);
  }
}

TEST_CASE("time grows with the length of a text, whatever it holds") {
  const BertTokenizer tokenizer = small_tokenizer();
  const std::vector<std::pair<const char*, std::string>> units = {{"one word", "a"},
                                                                  {"spaces", " "},
                                                                  {"ideographs", "的"},
                                                                  {"marks", "\u0301"},
                                                                  {"marks that stay", "\U0001E944\u0334"},
                                                                  {"accents", "é"},
                                                                  {"words", "hello world "},
                                                                  {"controls", "\x01"},
                                                                  {"brackets", "["},
                                                                  {"special tokens", "[MASK]"},
                                                                  {"almost special", "[MAS"},
                                                                  {"not UTF-8", "\xE4\xBD"},
                                                                  {"long words", std::string(99, 'a') + " "}};
  for (const auto& [name, unit] : units) {
    const auto seconds = [&](size_t bytes) {
      std::string text;
      while (text.size() < bytes) text += unit;
      double best = 1e9;
      for (int i = 0; i < 3; ++i) {
        const double start = cpu_seconds();
        const EncodedBatch batch = tokenizer.encode(text);
        best = std::min(best, cpu_seconds() - start);
        REQUIRE(batch.ids.size() >= 2);
      }
      return best;
    };
    // Eight times the text: a quadratic step would take 64 times as long. The bound leaves room for caches and noise.
    const double small = seconds(size_t{1} << 17), large = seconds(size_t{1} << 20);
    INFO(name << ": " << small << " s, " << large << " s");
    CHECK(large < 24 * small + 0.002);
  }
}

TEST_CASE("padding to the longest goes by what is kept, not by what overflows") {
  EncodeOptions options;
  options.max_length = 2;  // nothing but the special tokens is kept
  options.truncation = Truncation::longest_first;
  options.padding = Padding::longest;
  options.pad_to_multiple_of = 2;
  options.return_overflow = true;
  const std::vector<EncodeInput> inputs = {"的一是", "的"};
  const EncodedBatch batch = small_tokenizer().encode_batch(inputs, options);
  CHECK(batch.row_begin == std::vector<int64_t>{0, 2, 7, 9, 12});
  CHECK(batch.row_text == std::vector<int32_t>{0, 0, 1, 1});
}

TEST_CASE("an empty batch has no rows") {
  const EncodedBatch batch = small_tokenizer().encode_batch({});
  CHECK(batch.rows() == 0);
  CHECK(batch.row_begin == std::vector<int64_t>{0});
  EncodeOptions padded;
  padded.padding = Padding::longest;
  CHECK(small_tokenizer().encode_batch({}, padded, 4).ids.empty());
}
