#include "io/safetensors.h"

#include <algorithm>
#include <ctime>
#include <numeric>

#include "tests/io/safetensors_bytes.h"
#include "tests/support/expect_error.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

using namespace tw;
using namespace tw::test;

namespace {

SafetensorsHeader parse(const std::string& bytes) {
  const TempDir dir;
  return read_safetensors_header(File::open(dir.write("m.safetensors", bytes)));
}

// A header with one entry whose fields are given as text.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

void expect(ErrorCode code, const std::string& header, const std::string& data, const std::string& part) {
  INFO(printable(header));
  expect_error(
      code, [&] { parse(safetensors_file(header, data)); }, part, "m.safetensors");
}

}  // namespace

TEST_CASE("a safetensors header lists types, shapes, positions and metadata") {
  const std::string header =
      R"({"__metadata__":{"format":"pt","图":"文"},"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[8,12]},)"
      R"("a":{"data_offsets":[0,8],"shape":[],"dtype":"F64"},"空":{"dtype":"F32","shape":[0,7],"data_offsets":[12,12]}})";
  const SafetensorsHeader read = parse(safetensors_file(header, std::string(12, '\0')));
  REQUIRE(read.tensors.size() == 3);
  CHECK(read.metadata == std::map<std::string, std::string>{{"format", "pt"}, {"图", "文"}});
  CHECK(read.tensors[0].info.name == "a");
  CHECK(read.tensors[0].info.dtype == DType::f64);
  CHECK(read.tensors[0].info.shape.empty());
  CHECK(read.tensors[0].offset == static_cast<int64_t>(8 + header.size()));
  CHECK(read.tensors[1].info.dtype == DType::bf16);
  CHECK(read.tensors[1].info.shape == std::vector<int64_t>{2, 1});
  CHECK(read.tensors[1].offset == static_cast<int64_t>(8 + header.size() + 8));
  CHECK(read.tensors[2].info.name == "空");
}

TEST_CASE("what the reference accepts: no tensors, white space, missing metadata, unknown keys, escapes") {
  CHECK(parse(safetensors_file("{}")).tensors.empty());
  CHECK(parse(safetensors_file(R"({"__metadata__":{}})")).tensors.empty());
  CHECK(parse(safetensors_file("\t\r\n {}  \n")).tensors.empty());
  const std::string entry = R"("dtype":"U8","shape":[1],"data_offsets":[0,1])";
  CHECK(parse(safetensors_file("  {\"t\":{" + entry + "}}   ", "x")).tensors.size() == 1);
  CHECK(parse(safetensors_file(R"({"t":{)" + entry + R"(,"extra":{"a":[1,{"b":null}],"dtype":2},"more":-1.5}})", "x"))
            .tensors.size() == 1);
  CHECK(parse(safetensors_file(R"({"\u0074\n":{)" + entry + "}}", "x")).tensors[0].info.name == "t\n");
}

TEST_CASE("every element type of the format is read or named as unsupported") {
  const std::vector<std::pair<std::string, int>> read = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
                                                         {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U8", 1},   {"BOOL", 1}};
  for (const auto& [dtype, bytes] : read) {
    const std::string data(static_cast<size_t>(3 * bytes), '\1');
    CAPTURE(dtype);
    CHECK(size_of(parse(safetensors_of({{"t", dtype, {3}, data}})).tensors.at(0).info.dtype) == bytes);
  }
  for (const char* dtype : {"U16", "U32", "U64", "C64", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F4", "F6_E2M3", "f32", ""})
    expect(ErrorCode::unsupported, one(std::string("\"").append(dtype).append("\""), "[0]", "[0,0]"), "", "dtype");
}

TEST_CASE("lengths that contradict the file") {
  for (size_t n = 0; n < 8; ++n)
    expect_error(
        ErrorCode::truncated, [&] { parse(std::string(n, '\0')); }, "header length");
  const auto with_length = [](uint64_t length, const std::string& rest) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes + rest;
  };
  expect_error(
      ErrorCode::truncated, [&] { parse(with_length(3, "{}")); }, "3 bytes", "found 2");
  expect_error(
      ErrorCode::truncated, [&] { parse(with_length(kMaxSafetensorsHeader, "{}")); }, "header");
  for (const uint64_t length :
       {uint64_t{(16 << 20) + 1}, uint64_t{100'000'001}, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{7}})
    expect_error(
        ErrorCode::limit_exceeded, [&] { parse(with_length(length, "{}")); }, "header length");
  expect_error(
      ErrorCode::malformed, [&] { parse(with_length(0, "")); }, "JSON object");
}

TEST_CASE("headers that are not a JSON object in UTF-8") {
  for (const char* text :
       {"", " ", "[]", "1", "\"x\"", "null", "{", "{}}", "{} x", "{]", "{\"a\"}", "{,}", "{}\x0b", "\xEF\xBB\xBF{}"})
    expect(ErrorCode::malformed, text, "", "header");
  expect(ErrorCode::malformed, std::string("{}\0", 3), "", "zero byte");
  expect(ErrorCode::malformed, std::string("{\0}", 3), "", "zero byte");
  const std::string good = one("\"U8\"", "[0]", "[0,0]");
  for (const char* bad :
       {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe6\x96", "\\ud800", "\\udc00\\ud800", "\n"}) {
    std::string header = good;
    header.replace(header.find("\"t\""), 3, "\"t" + std::string(bad) + "\"");
    expect(ErrorCode::malformed, header, "", "header");
  }
}

TEST_CASE("values of the wrong type") {
  for (const char* dtype : {"1", "null", "[]", "{}", "true"})
    expect(ErrorCode::malformed, one(dtype, "[0]", "[0,0]"), "", "dtype");
  for (const char* shape : {"0", "null", "{}", "\"0\"", "[\"0\"]", "[null]", "[[0]]", "[{}]", "[true]", "[-1]", "[-0]",
                            "[0.0]", "[0e0]", "[1.0]", "[9223372036854775808]", "[18446744073709551616]", "[1e400]"})
    expect(ErrorCode::malformed, one("\"U8\"", shape, "[0,0]"), "", "t");
  for (const char* offsets :
       {"0", "null", "[]", "[0]", "[0,0,0]", "[0,\"0\"]", "[0,-1]", "[0,0.0]", "[0,null]", "[[0,0]]", "{}"})
    expect(ErrorCode::malformed, one("\"U8\"", "[0]", offsets), "", "data_offsets");
  for (const char* entry : {"1", "null", "[]", "\"x\"", "true", "[\"U8\",[0],[0,0]]"})
    expect(ErrorCode::malformed, std::string("{\"t\":") + entry + "}", "", "\"t\"");
  for (const char* metadata : {"1", "null", "[]", "\"x\"", "{\"a\":1}", "{\"a\":null}", "{\"a\":{}}", "{\"a\":[]}"})
    expect(ErrorCode::malformed, std::string("{\"__metadata__\":") + metadata + "}", "", "__metadata__");
  for (const char* missing : {R"({"shape":[0],"data_offsets":[0,0]})", R"({"dtype":"U8","data_offsets":[0,0]})",
                              R"({"dtype":"U8","shape":[0]})", "{}"})
    expect(ErrorCode::malformed, std::string("{\"t\":") + missing + "}", "", "expected key");
}

TEST_CASE("each key may occur once") {
  const std::string entry = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expect(ErrorCode::malformed, R"({"t":)" + entry + R"(,"t":)" + entry + "}", "x", "twice");
  expect(ErrorCode::malformed, R"({"t":)" + entry + R"(,"\u0074":)" + entry + "}", "x", "twice");
  expect(ErrorCode::malformed, R"({"__metadata__":{},"__metadata__":{}})", "", "twice");
  expect(ErrorCode::malformed, R"({"__metadata__":{"a":"1","a":"1"}})", "", "twice");
  for (const char* key : {R"("dtype":"U8")", R"("shape":[1])", R"("data_offsets":[0,1])"})
    expect(ErrorCode::malformed, R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1],)" + std::string(key) + "}}",
           "x", "twice");
}

TEST_CASE("sizes that overflow or contradict the byte range") {
  expect(ErrorCode::malformed, one("\"F32\"", "[2,2]", "[0,15]"), std::string(15, 'x'), "16 bytes");
  expect(ErrorCode::malformed, one("\"F32\"", "[2,2]", "[0,17]"), std::string(17, 'x'), "16 bytes");
  expect(ErrorCode::malformed, one("\"F32\"", "[]", "[0,0]"), "", "4 bytes");
  expect(ErrorCode::malformed, one("\"U8\"", "[4294967296,4294967296]", "[0,0]"), "", "shape");
  expect(ErrorCode::malformed, one("\"F32\"", "[4611686018427387904]", "[0,0]"), "", "shape");  // * 4 wraps to 0
  expect(ErrorCode::malformed, one("\"F64\"", "[2305843009213693952]", "[0,0]"), "", "shape");
  expect(ErrorCode::malformed, one("\"U8\"", "[9223372036854775807,9223372036854775807,0]", "[0,0]"), "", "shape");
  expect(ErrorCode::malformed, one("\"U8\"", "[1]", "[1,0]"), "x", "begin <= end");
  expect(ErrorCode::truncated, one("\"U8\"", "[2]", "[0,2]"), "x", "data section");
  expect(ErrorCode::truncated, one("\"U8\"", "[1]", "[9223372036854775806,9223372036854775807]"), "x", "data section");
  CHECK(parse(safetensors_file(one("\"U8\"", "[0,9223372036854775807]", "[0,0]"))).tensors.size() == 1);
}

TEST_CASE("holes, overlaps and trailing bytes") {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + b + "}}";
  };
  CHECK(parse(safetensors_file(two("[0,2]", "[2,4]"), "abcd")).tensors.size() == 2);
  CHECK(parse(safetensors_file(two("[2,4]", "[0,2]"), "abcd")).tensors[0].info.name == "b");
  expect(ErrorCode::malformed, two("[0,2]", "[0,2]"), "ab", "data_offsets");
  expect(ErrorCode::malformed, two("[0,2]", "[1,3]"), "abc", "begin of 2");
  expect(ErrorCode::malformed, two("[0,2]", "[3,5]"), "abcde", "begin of 2");
  expect(ErrorCode::malformed, two("[1,3]", "[3,5]"), "abcde", "begin of 0");
  expect(ErrorCode::malformed, two("[0,2]", "[2,4]"), "abcde", "data section");
  expect(ErrorCode::malformed, "{}", "x", "data section");
  // Ten tensors over the same bytes: little data that would become much.
  std::string overlap = "{";
  for (int i = 0; i < 10; ++i)
    overlap += std::string(i == 0 ? "\"" : ",\"") + std::to_string(i) +
               R"(":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]})";
  expect(ErrorCode::malformed, overlap + "}", std::string(16, 'x'), "begin of 16");
}

TEST_CASE("empty tensors may lie anywhere between others") {
  const std::string header =
      R"({"full":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"none":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
      R"("end":{"dtype":"F32","shape":[5,0],"data_offsets":[3,3]}})";
  CHECK(parse(safetensors_file(header, "abc")).tensors.size() == 3);
  std::string inside = header;  // the reference refuses an empty tensor that begins inside another
  inside.replace(inside.find("[0,0]"), 5, "[1,1]");
  expect(ErrorCode::malformed, inside, "abc", "begin of 3");
}

TEST_CASE("limits on tensors, dimensions, names and nesting") {
  std::string many = "{";
  for (int64_t i = 0; i <= kMaxTensors; ++i)
    many +=
        std::string(i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  expect(ErrorCode::limit_exceeded, many + "}", "", "65536 tensors");
  expect(ErrorCode::limit_exceeded, one("\"U8\"", "[0,1,1,1,1,1,1,1,1]", "[0,0]"), "", "at most 8");
  CHECK(parse(safetensors_file(one("\"U8\"", "[0,1,1,1,1,1,1,1]", "[0,0]"))).tensors.size() == 1);
  expect(ErrorCode::limit_exceeded, "{\"" + std::string(513, 'n') + "\":{}}", "", "512 bytes");
  const auto nested = [](size_t depth) {
    return R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}}";
  };
  CHECK(parse(safetensors_file(nested(6))).tensors.size() == 1);
  expect(ErrorCode::limit_exceeded, nested(7), "", "nested");
  expect(ErrorCode::limit_exceeded, nested(1 << 20), "", "nested");
}

TEST_CASE("a header at the limits is read in under half a second") {
  std::string header = "{";
  for (int64_t i = 0; i < kMaxTensors; ++i) {
    std::string name = std::to_string(i);
    name.insert(0, 180 - name.size(), 'x');
    header += std::string(i == 0 ? "\"" : ",\"") + name + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  header += "}";
  REQUIRE(header.size() < static_cast<size_t>(kMaxSafetensorsHeader));
  header.resize(static_cast<size_t>(kMaxSafetensorsHeader), ' ');
  const std::clock_t begin = std::clock();  // processor time: the machine may be busy with other things
  CHECK(parse_safetensors_header(header, 8, 0, "m").tensors.size() == static_cast<size_t>(kMaxTensors));
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
#if defined(__OPTIMIZE__) && !defined(_GLIBCXX_ASSERTIONS)  // not in sanitizer builds
  CHECK(seconds < 0.5);
#else
  CHECK(seconds < 10);
#endif
}

TEST_CASE("any order of the entries is accepted, any shifted byte range is not") {
  Random random(20240501);
  for (int round = 0; round < 50; ++round) {
    struct Range {
      int64_t begin, end;
    };
    std::vector<Range> ranges;
    int64_t at = 0;
    const int64_t count = random.integer(1, 8);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t bytes = random.integer(1, 20);
      ranges.push_back({at, at + bytes});
      at += bytes;
    }
    std::vector<size_t> order(ranges.size());
    std::iota(order.begin(), order.end(), size_t{0});
    for (size_t i = order.size(); i-- > 1;)
      std::swap(order[i], order[static_cast<size_t>(random.integer(0, static_cast<int64_t>(i)))]);
    const auto file = [&](size_t shifted, int64_t begin_by, int64_t end_by) {
      std::string header = "{";
      for (const size_t i : order) {
        Range r = ranges[i];
        const int64_t length = r.end - r.begin;
        if (i == shifted) r = {r.begin + begin_by, r.end + end_by};
        header += std::string(header.size() > 1 ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"dtype":"U8","shape":[)" +
                  std::to_string(i == shifted && begin_by != end_by ? r.end - r.begin : length) +
                  R"(],"data_offsets":[)" + std::to_string(r.begin) + "," + std::to_string(r.end) + "]}";
      }
      return safetensors_file(header + "}", std::string(static_cast<size_t>(at), 'x'));
    };
    CHECK(parse(file(ranges.size(), 0, 0)).tensors.size() == ranges.size());
    for (size_t i = 0; i < ranges.size(); ++i) {
      CHECK_THROWS_AS(parse(file(i, 1, 1)), Error);   // moved
      CHECK_THROWS_AS(parse(file(i, 0, 1)), Error);   // longer
      CHECK_THROWS_AS(parse(file(i, 0, -1)), Error);  // shorter
      if (ranges[i].begin > 0) CHECK_THROWS_AS(parse(file(i, -1, -1)), Error);
    }
  }
}

TEST_CASE("every mutation of every byte of a small file is read or refused with an error") {
  const std::string header = R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  int read = 0;
  for (size_t at = 0; at < header.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string text = header;
      text[at] = static_cast<char>(value);
      try {
        for (const StoredTensor& t : parse_safetensors_header(text, 100, 8, "m").tensors) {
          REQUIRE(t.offset == 100);
          REQUIRE(size_of(t.info.dtype) == 4);  // I32 is one letter away
        }
        ++read;
      } catch (const Error&) {  // anything else fails the test
      }
    }
  }
  // The nine letters of "format", "pt" and "a" may be any of some 95 characters; hardly anything else may change.
  CHECK(read > 9 * 90);
  CHECK(read < 9 * 110);

  const std::string good = safetensors_file(header, std::string(8, '\1'));
  for (size_t at = 0; at < 8; ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(value);
      if (bytes != good) CHECK_THROWS_AS(parse(bytes), Error);
    }
  }
  for (size_t length = 0; length < good.size(); ++length) CHECK_THROWS_AS(parse(good.substr(0, length)), Error);
  CHECK_THROWS_AS(parse(good + "x"), Error);
}
