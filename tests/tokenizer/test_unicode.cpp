// The probed tables, on all 1,114,112 code points, and UTF-8.
#include <array>
#include <catch2/catch.hpp>

#include "tests/support/random.h"
#include "tests/tokenizer/tokenizer_goldens.h"
#include "tokenizer/evaluation_text.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/utf8.h"

using namespace tw;
using namespace tw::test;

namespace {

// CRC-32 of ISO 3309, the one of zlib.
class Crc32 {
 public:
  Crc32() {
    for (uint32_t i = 0; i < 256; ++i) {
      table_[i] = i;
      for (int bit = 0; bit < 8; ++bit) table_[i] = (table_[i] >> 1) ^ (table_[i] & 1 ? 0xEDB88320u : 0u);
    }
  }
  void add(std::string_view bytes) {
    for (const char c : bytes) crc_ = (crc_ >> 8) ^ table_[(crc_ ^ static_cast<unsigned char>(c)) & 0xFF];
  }
  uint32_t value() const { return ~crc_; }

 private:
  std::array<uint32_t, 256> table_;
  uint32_t crc_ = ~0u;
};

// block_text() of scripts/make_tokenizer_goldens.py.
uint32_t checksum_of_block(Normalizer& normalizer, char32_t first) {
  Crc32 crc;
  std::string line;
  const auto end_word = [&] {
    if (line.empty()) return;
    crc.add(line + '\n');
    line.clear();
  };
  for (char32_t c = first; c < first + 4096; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    uint32_t at = 0;
    for (const char32_t part : {U'a', char32_t{0x301}, c, char32_t{0x316}, U'b', c}) {
      normalizer.push(part, at, at + 1);
      ++at;
    }
    normalizer.finish();
    for (const NormalizedChar& n : normalizer.output()) {
      if (n.flags & (unicode::kSpace | unicode::kPunctuation)) end_word();
      if (n.flags & unicode::kSpace) continue;
      utf8::append(line, n.code);
      if (n.flags & unicode::kPunctuation) end_word();
    }
    end_word();
    normalizer.output().clear();
  }
  return crc.value();
}

// The definition, one step at a time: what Unicode 15, section 3.9, calls the maximal subpart of an ill-formed
// sequence.
std::u32string decode_slowly(std::string_view text) {
  std::u32string out;
  size_t at = 0;
  const auto is_prefix_of_valid = [](std::string_view bytes) {
    // Tries every completion class: a byte string is a prefix if some well-formed character begins with it.
    const auto b = [&](size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
    const unsigned lead = b(0);
    size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (bytes.size() > length) return false;
    uint32_t low = lead, high = lead;
    if (length == 2) low = high = lead & 0x1F;
    if (length == 3) low = high = lead & 0x0F;
    if (length == 4) low = high = lead & 0x07;
    for (size_t i = 1; i < length; ++i) {
      if (i < bytes.size() && (b(i) & 0xC0) != 0x80) return false;
      low = low << 6 | (i < bytes.size() ? b(i) & 0x3F : 0);
      high = high << 6 | (i < bytes.size() ? b(i) & 0x3F : 0x3F);
    }
    const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool all_surrogates = low >= 0xD800 && high <= 0xDFFF;
    return high >= least[length] && low <= 0x10FFFF && !all_surrogates;
  };
  while (at < text.size()) {
    size_t taken = 0;
    while (at + taken < text.size() && is_prefix_of_valid(text.substr(at, taken + 1))) ++taken;
    const std::string_view part = text.substr(at, std::max<size_t>(taken, 1));
    std::string encoded;
    char32_t code = 0xFFFD;
    if (taken > 0) {
      const auto lead = static_cast<unsigned char>(part[0]);
      const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
      if (taken == length) {
        code = length == 1 ? lead : lead & (0x7Fu >> length);
        for (size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(part[i]) & 0x3Fu);
      }
    }
    out.push_back(code);
    at += part.size();
  }
  return out;
}

}  // namespace

TEST_CASE("every code point is cleaned, spaced, decomposed, stripped, lower-cased and split as by the reference") {
  const nlohmann::json goldens = tokenizer_goldens().at("code_points");
  REQUIRE(goldens.size() == 9);
  for (const auto& [steps, checksums] : goldens.items()) {
    INFO("clean_text, handle_chinese_chars, strip_accents, lowercase = " << steps);
    REQUIRE(checksums.size() == 0x110000 / 4096);
    Normalizer normalizer({.clean_text = steps[0] == '1',
                           .handle_chinese_chars = steps[1] == '1',
                           .strip_accents = steps[2] == '1',
                           .lowercase = steps[3] == '1'});
    for (char32_t block = 0; block < checksums.size(); ++block) {
      INFO("code points from " << std::hex << block * 4096);
      CHECK(checksum_of_block(normalizer, block * 4096) == checksums[block].get<uint32_t>());
    }
  }
}

TEST_CASE("UTF-8: every code point there and back") {
  std::string text;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    text.clear();
    utf8::append(text, c);
    const utf8::Decoded decoded = utf8::decode(text.data(), text.data() + text.size());
    if (decoded.code != c || decoded.length != text.size() || !decoded.valid)
      FAIL("code point " << std::hex << uint32_t{c});
  }
}

TEST_CASE("UTF-8: surrogates and values over U+10FFFF are written as U+FFFD") {
  for (const char32_t c : {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    std::string text;
    utf8::append(text, c);
    CHECK(text == "\xEF\xBF\xBD");
  }
}

TEST_CASE("UTF-8: a maximal bad subsequence reads as one U+FFFD") {
  // Unicode 15, table 3-8 and section 3.9.
  const std::vector<std::pair<std::string, size_t>> cases = {
      {"\x80", 1},         {"\xC0\x80", 2},     {"\xE0\x80\x80", 3},     {"\xED\xA0\x80", 3}, {"\xF4\x91\x92\x93", 4},
      {"\xFF", 1},         {"\xE1\x80", 1},     {"\xF0\x91\x92", 1},     {"\xF1\xBF", 1},     {"\xE2\x80\xE2", 2},
      {"\xF0\x80\x80", 3}, {"\xF5\x80\x80", 3}, {"\xC2\xC2\x80\xC2", 2}, {"\xE4\xBD\xA0", 0}, {"", 0}};
  for (const auto& [bytes, replacements] : cases) {
    const std::u32string codes = utf8::decode_all(bytes);
    CHECK(std::ranges::count(codes, char32_t{0xFFFD}) == static_cast<std::ptrdiff_t>(replacements));
  }
}

TEST_CASE("UTF-8: any three bytes, and random longer strings, read as the definition says") {
  for (unsigned first :
       {0x41u, 0x80u, 0xBFu, 0xC1u, 0xC2u, 0xDFu, 0xE0u, 0xE1u, 0xECu, 0xEDu, 0xEEu, 0xEFu, 0xF0u, 0xF1u, 0xF4u, 0xF5u})
    for (unsigned second = 0; second < 256; ++second)
      for (unsigned third : {0x00u, 0x41u, 0x7Fu, 0x80u, 0xBFu, 0xC0u, 0xE4u}) {
        const std::string text{static_cast<char>(first), static_cast<char>(second), static_cast<char>(third)};
        if (utf8::decode_all(text) != decode_slowly(text)) FAIL(first << ' ' << second << ' ' << third);
      }
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (int64_t n = random.integer(0, 9); n > 0; --n) {
      const char often[] = "\x80\xBF\xE4\xF0\xED\xA0\x90\xC3\xF4\x8F";
      text.push_back(random.chance(0.7) ? often[random.integer(0, 9)] : static_cast<char>(random.integer(0, 255)));
    }
    const std::u32string expected = decode_slowly(text);
    CAPTURE(i);
    REQUIRE(utf8::decode_all(text) == expected);
    // find_invalid names the first byte of the first replacement.
    size_t at = 0;
    std::string clean;
    for (const char32_t c : expected) {
      if (c == 0xFFFD) break;
      utf8::append(clean, c);
      at = clean.size();
    }
    const bool valid = std::ranges::find(expected, char32_t{0xFFFD}) == expected.end();
    CHECK(utf8::find_invalid(text) == (valid ? std::string_view::npos : at));
  }
}

TEST_CASE("values that are no code points have no properties") {
  for (const char32_t c : {char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    CHECK(unicode::traits(c).flags == 0);
    CHECK(unicode::lower(c)[0] == c);
    CHECK(unicode::decompose(c)[0] == c);
  }
}

TEST_CASE("the evaluation tools' preprocessing lower-cases as Python does and maps two quotation marks") {
  // Right sides: text.lower().replace("“", '"').replace("”", '"') in Python 3.
  CHECK(evaluation_text("“Hello”，WORLD ‘x’") == "\"hello\"，world ‘x’");
  CHECK(evaluation_text("ΟΔΟΣ ΣΑΣ") == "οδος σας");
  CHECK(evaluation_text("ΑΣ'Β ΑΣ' Σ") == "ασ'β ας' σ");
  CHECK(evaluation_text("ΑΣ\u0301 Α\u0301Σ") == "ας\u0301 α\u0301ς");
  CHECK(evaluation_text("1Σ 中Σ ⅷΣ") == "1σ 中σ ⅷς");
  CHECK(evaluation_text("İ") == "i\u0307");
  CHECK(evaluation_text("[MASK]") == "[mask]");
  CHECK(evaluation_text("a\xFF"
                        "b") ==
        "a\uFFFD"
        "b");
  CHECK(evaluation_text("").empty());
}
