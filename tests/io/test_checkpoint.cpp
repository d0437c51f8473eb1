#include "io/checkpoint.h"

#include <dirent.h>
#include <sys/stat.h>

#include <cmath>
#include <limits>
#include <thread>

#include "core/dtype.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/support/expect_error.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

using namespace tw;
using namespace tw::test;

namespace {

std::vector<float> read_all(const Checkpoint& checkpoint, std::string_view name, bool check_finite = true) {
  const TensorInfo* tensor = checkpoint.find(name);
  REQUIRE(tensor != nullptr);
  int64_t elements = 1;
  for (const int64_t d : tensor->shape) elements *= d;
  std::vector<float> out(static_cast<size_t>(elements), -1234.5f);
  checkpoint.read_f32(*tensor, out, check_finite);
  return out;
}

std::string index_json(const std::vector<std::pair<std::string, std::string>>& map) {
  std::string text = R"({"metadata":{"total_size":1},"weight_map":{)";
  for (size_t i = 0; i < map.size(); ++i)
    text += std::string(i == 0 ? "\"" : ",\"") + map[i].first + "\":\"" + map[i].second + "\"";
  return text + "}}";
}

size_t open_descriptors() {
  size_t count = 0;
  DIR* dir = ::opendir("/proc/self/fd");
  while (::readdir(dir) != nullptr) ++count;
  ::closedir(dir);
  return count;
}

}  // namespace

TEST_CASE("a checkpoint is found in a directory or opened as a file") {
  const TempDir dir;
  const std::string bytes = safetensors_of({f32_tensor("w", {2, 2}, {1, 2, 3, 4}), f32_tensor("s", {}, {7})});
  const std::filesystem::path path = dir.write("model.safetensors", bytes);
  for (const Checkpoint& checkpoint : {Checkpoint::open(dir.path()), Checkpoint::open(path)}) {
    REQUIRE(checkpoint.tensors().size() == 2);
    CHECK(checkpoint.find("w")->shape == std::vector<int64_t>{2, 2});
    CHECK(checkpoint.find("x") == nullptr);
    CHECK(checkpoint.find("") == nullptr);
    CHECK(read_all(checkpoint, "w") == std::vector<float>{1, 2, 3, 4});
    CHECK(read_all(checkpoint, "s") == std::vector<float>{7});
    CHECK_THAT(checkpoint.file_of(*checkpoint.find("w")), Catch::Matchers::EndsWith("model.safetensors"));
  }
}

TEST_CASE("files of a directory are preferred in the reference's order") {
  const TempDir dir;
  expect_error(
      ErrorCode::io_error, [&] { Checkpoint::open(dir.path()); }, "model.safetensors", "none of them");
  expect_error(
      ErrorCode::io_error, [&] { Checkpoint::open(dir.path() / "absent"); }, "absent");
  dir.write("shard.safetensors", safetensors_of({f32_tensor("from", {}, {2})}));
  dir.write("model.safetensors.index.json", index_json({{"from", "shard.safetensors"}}));
  dir.write("pytorch_model.bin", "not looked at");
  CHECK(read_all(Checkpoint::open(dir.path()), "from") == std::vector<float>{2});
  dir.write("model.safetensors", safetensors_of({f32_tensor("from", {}, {1})}));
  CHECK(read_all(Checkpoint::open(dir.path()), "from") == std::vector<float>{1});
  CHECK(read_all(Checkpoint::open(dir.path() / "model.safetensors.index.json"), "from") == std::vector<float>{2});
}

TEST_CASE("every floating type converts exactly") {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  const std::vector<double> doubles = {0.1, -0.0, 1e-40, 1e-300, 3.40282356e+38, 16777217.0, -2.5};
  const TempDir dir;
  dir.write("model.safetensors", safetensors_of({{"f16", "F16", {256, 256}, bytes_of(halves)},
                                                 {"bf16", "BF16", {65536}, bytes_of(halves)},
                                                 {"f64", "F64", {7}, bytes_of(doubles)}}));
  const Checkpoint checkpoint = Checkpoint::open(dir.path());
  const std::vector<float> f16 = read_all(checkpoint, "f16", false);
  const std::vector<float> bf16 = read_all(checkpoint, "bf16", false);
  size_t wrong = 0;
  for (size_t i = 0; i < halves.size(); ++i) {
    // The value by the definition of binary16, in double: sign * 2^(e - 25) * (1024 + m), or 2^-24 * m.
    const int e = (halves[i] >> 10) & 31, m = halves[i] & 1023;
    const double sign = halves[i] & 0x8000 ? -1.0 : 1.0;
    const double value = e == 0 ? std::ldexp(m, -24) : std::ldexp(1024 + m, e - 25);
    const bool same = e == 31 ? (m == 0 ? std::isinf(f16[i]) : std::isnan(f16[i])) && std::signbit(f16[i]) == (sign < 0)
                              : f16[i] == static_cast<float>(sign * value) && std::signbit(f16[i]) == (sign < 0);
    wrong += !same;
    wrong += std::bit_cast<uint32_t>(bf16[i]) != static_cast<uint32_t>(i) << 16;
  }
  CHECK(wrong == 0);
  CHECK(read_all(checkpoint, "f64") ==
        std::vector<float>{0.1f, -0.0f, 1e-40f, 0.0f, std::numeric_limits<float>::max(), 16777216.0f, -2.5f});
}

TEST_CASE("rows come out as the whole does") {
  Random random(7);
  std::vector<float> values(7 * 3 * 5);
  for (float& v : values) v = static_cast<float>(random.normal());
  const TempDir dir;
  dir.write("model.safetensors", safetensors_of({f32_tensor("w", {7, 3, 5}, values), f32_tensor("s", {}, {3})}));
  const Checkpoint checkpoint = Checkpoint::open(dir.path());
  const TensorInfo& w = *checkpoint.find("w");
  for (int64_t first = 0; first <= 7; ++first) {
    for (int64_t rows = 0; first + rows <= 7; ++rows) {
      std::vector<float> out(static_cast<size_t>(rows * 15));
      checkpoint.read_f32_rows(w, first, out);
      CHECK(std::equal(out.begin(), out.end(), values.begin() + first * 15));
    }
  }
  std::vector<float> scalar(1);
  checkpoint.read_f32_rows(*checkpoint.find("s"), 0, scalar);
  CHECK(scalar[0] == 3);
  const auto read = [&](int64_t first, size_t count) {
    std::vector<float> out(count);
    checkpoint.read_f32_rows(w, first, out);
  };
  for (const auto& [first, count] : std::vector<std::pair<int64_t, size_t>>{
           {0, 14}, {0, 16}, {6, 30}, {7, 15}, {8, 0}, {-1, 15}, {-1, 0}, {INT64_MAX, 15}, {INT64_MIN, 15}, {0, 120}})
    expect_error(
        ErrorCode::invalid_argument, [&] { read(first, count); }, "\"w\"", "[7, 3, 5]");
  std::vector<float> out(104);
  expect_error(
      ErrorCode::invalid_argument, [&] { checkpoint.read_f32(w, out); }, "\"w\"", "104 elements");
  expect_error(
      ErrorCode::invalid_argument,
      [&] {
        checkpoint.read_f32({"other", DType::f32, {}}, out);
      },
      "other");
}

TEST_CASE("tensors larger than the read buffer, of every width") {
  Random random(11);
  const int64_t count = 300'007;
  std::vector<float> f32;
  std::vector<uint16_t> bf16;
  std::vector<double> f64;
  for (int64_t i = 0; i < count; ++i) {
    const float v = bf16_to_f32(f32_to_bf16(static_cast<float>(random.normal())));
    f32.push_back(v);
    bf16.push_back(f32_to_bf16(v));
    f64.push_back(static_cast<double>(v));
  }
  const TempDir dir;
  dir.write("model.safetensors", safetensors_of({{"pad", "U8", {3}, "abc"},  // nothing is aligned after this
                                                 f32_tensor("f32", {count}, f32),
                                                 {"bf16", "BF16", {count}, bytes_of(bf16)},
                                                 {"f64", "F64", {count}, bytes_of(f64)}}));
  const Checkpoint checkpoint = Checkpoint::open(dir.path());
  for (const char* name : {"f32", "bf16", "f64"}) CHECK(read_all(checkpoint, name) == f32);
}

TEST_CASE("a NaN or infinity is refused with its place, or let through") {
  for (const int64_t at : {int64_t{0}, int64_t{5000}, int64_t{70'000}, int64_t{199'999}}) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      std::vector<float> values(200'000, 1.0f);
      values[static_cast<size_t>(at)] = bad;
      std::vector<uint16_t> halves(values.size());
      for (size_t i = 0; i < values.size(); ++i) halves[i] = f32_to_bf16(values[i]);
      const TempDir dir;
      dir.write("model.safetensors",
                safetensors_of({f32_tensor("w", {2, 100'000}, values), {"h", "BF16", {200'000}, bytes_of(halves)}}));
      const Checkpoint checkpoint = Checkpoint::open(dir.path());
      for (const char* name : {"w", "h"}) {
        expect_error(
            ErrorCode::non_finite, [&] { read_all(checkpoint, name); }, "model.safetensors", name,
            "flat index " + std::to_string(at), bad != bad ? "NaN" : "infinity");
        CHECK(std::isfinite(read_all(checkpoint, name, false)[static_cast<size_t>(at)]) == false);
      }
      if (at >= 100'000) {  // the index counts from the start of the tensor, not of the rows read
        std::vector<float> row(100'000);
        expect_error(
            ErrorCode::non_finite, [&] { checkpoint.read_f32_rows(*checkpoint.find("w"), 1, row); },
            "flat index " + std::to_string(at));
      }
    }
  }
  const TempDir dir;
  dir.write("model.safetensors", safetensors_of({{"d", "F64", {1}, bytes_of(std::vector<double>{1e39})}}));
  expect_error(
      ErrorCode::non_finite, [&] { read_all(Checkpoint::open(dir.path()), "d"); }, "\"d\"");  // beyond f32
}

TEST_CASE("integers are not weights, but can be read as integers") {
  const std::vector<int64_t> ids = {0, 1, 2};
  const TempDir dir;
  dir.write("model.safetensors",
            safetensors_of({{"ids", "I64", {1, 3}, bytes_of(ids)}, f32_tensor("w", {3}, {1, 2, 3})}));
  const Checkpoint checkpoint = Checkpoint::open(dir.path());
  expect_error(
      ErrorCode::unsupported, [&] { read_all(checkpoint, "ids"); }, "\"ids\"", "i64");
  std::vector<int64_t> out(3);
  checkpoint.read_i64(*checkpoint.find("ids"), out);
  CHECK(out == ids);
  expect_error(
      ErrorCode::unsupported, [&] { checkpoint.read_i64(*checkpoint.find("w"), out); }, "\"w\"", "f32");
  out.resize(2);
  expect_error(
      ErrorCode::invalid_argument, [&] { checkpoint.read_i64(*checkpoint.find("ids"), out); }, "\"ids\"");
}

TEST_CASE("old parameter names are renamed, and may not collide") {
  const TempDir dir;
  dir.write("model.safetensors",
            safetensors_of({f32_tensor("a.LayerNorm.gamma", {}, {1}), f32_tensor("a.LayerNorm.beta", {}, {2}),
                            f32_tensor("gamma.beta.gamma", {}, {3})}));
  const Checkpoint checkpoint = Checkpoint::open(dir.path());
  CHECK(read_all(checkpoint, "a.LayerNorm.weight") == std::vector<float>{1});
  CHECK(read_all(checkpoint, "a.LayerNorm.bias") == std::vector<float>{2});
  CHECK(read_all(checkpoint, "gamma.bias.gamma") ==
        std::vector<float>{3});  // as the reference: "beta" first, and alone
  CHECK(checkpoint.find("a.LayerNorm.gamma") == nullptr);
  dir.write("model.safetensors", safetensors_of({f32_tensor("n.gamma", {}, {1}), f32_tensor("n.weight", {}, {2})}));
  expect_error(
      ErrorCode::malformed, [&] { Checkpoint::open(dir.path()); }, "n.weight", "twice");
}

TEST_CASE("shards are read through their index") {
  const TempDir dir;
  dir.write("s1.safetensors", safetensors_of({f32_tensor("a", {2}, {1, 2}), f32_tensor("c.gamma", {}, {5})}));
  dir.write("s2.safetensors", safetensors_of({f32_tensor("b", {1}, {3})}));
  dir.write("model.safetensors.index.json",
            index_json({{"a", "s1.safetensors"}, {"b", "s2.safetensors"}, {"c.gamma", "s1.safetensors"}}));
  const Checkpoint checkpoint = Checkpoint::open(dir.path());
  CHECK(checkpoint.tensors().size() == 3);
  CHECK(read_all(checkpoint, "a") == std::vector<float>{1, 2});
  CHECK(read_all(checkpoint, "b") == std::vector<float>{3});
  CHECK(read_all(checkpoint, "c.weight") == std::vector<float>{5});
  CHECK_THAT(checkpoint.file_of(*checkpoint.find("b")), Catch::Matchers::EndsWith("s2.safetensors"));

  const auto with = [&](const std::string& index) {
    dir.write("model.safetensors.index.json", index);
    Checkpoint::open(dir.path());
  };
  expect_error(
      ErrorCode::malformed,
      [&] {
        with(index_json({{"a", "s2.safetensors"}}));
      },
      "\"a\"", "s2.safetensors");
  expect_error(
      ErrorCode::malformed,
      [&] {
        with(index_json({{"z", "s2.safetensors"}}));
      },
      "\"z\"");
  expect_error(
      ErrorCode::io_error,
      [&] {
        with(index_json({{"a", "s3.safetensors"}}));
      },
      "s3.safetensors");
  dir.write("s3.safetensors", safetensors_of({f32_tensor("a", {1}, {9})}));
  expect_error(
      ErrorCode::malformed,
      [&] {
        with(index_json({{"a", "s1.safetensors"}, {"b", "s3.safetensors"}}));
      },
      "\"a\"", "twice");
  for (const char* bad :
       {"", "[]", "{", "{}", R"({"weight_map":[]})", R"({"weight_map":null})", R"({"weight_map":{"a":1}})"})
    expect_error(
        ErrorCode::malformed, [&] { with(bad); }, "model.safetensors.index.json");
  expect_error(
      ErrorCode::limit_exceeded, [&] { with(std::string(17 << 20, ' ')); }, "bytes");
  std::string deep = R"({"weight_map":{},"x":)";
  expect_error(
      ErrorCode::limit_exceeded, [&] { with(deep + std::string(100'000, '[') + std::string(100'000, ']') + "}"); },
      "nested");
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 257; ++i) many.push_back({std::to_string(i), "s" + std::to_string(i)});
  expect_error(
      ErrorCode::limit_exceeded, [&] { with(index_json(many)); }, "256 files");
}

TEST_CASE("an index cannot name anything but a file beside it") {
  const TempDir dir;
  const TempDir outside;
  const std::string shard = safetensors_of({f32_tensor("a", {}, {1})});
  outside.write("x.safetensors", shard);
  std::filesystem::create_directory(dir.path() / "sub");
  dir.write("sub/x.safetensors", shard);
  dir.write(".hidden", shard);
  const std::string up = "../" + outside.path().filename().string() + "/x.safetensors";
  for (const std::string& hostile : {std::string(),
                                     std::string("."),
                                     std::string(".."),
                                     up,
                                     (outside.path() / "x.safetensors").string(),
                                     std::string("sub/x.safetensors"),
                                     std::string("./sub/../sub/x.safetensors"),
                                     std::string("sub/"),
                                     std::string("/"),
                                     std::string("//x"),
                                     std::string("..\\\\x.safetensors"),
                                     std::string("sub\\\\x.safetensors"),
                                     std::string("C:\\\\x"),
                                     std::string(".hidden"),
                                     std::string("x\\u0000.safetensors"),
                                     std::string("\\u0000"),
                                     std::string(256, 'x'),
                                     std::string("\\u002e\\u002e\\u002fx"),
                                     std::string("~/../x"),
                                     std::string("/dev/zero"),
                                     std::string("/proc/self/mem"),
                                     std::string("file:///etc/passwd")}) {
    CAPTURE(hostile);
    dir.write("model.safetensors.index.json", index_json({{"a", hostile}}));
    expect_error(
        ErrorCode::malformed, [&] { Checkpoint::open(dir.path()); }, "weight_map: \"a\"", "a file beside the index");
  }
  REQUIRE(::mkfifo((dir.path() / "pipe").c_str(), 0600) == 0);
  for (const char* name : {"sub", "pipe"}) {
    dir.write("model.safetensors.index.json", index_json({{"a", name}}));
    expect_error(
        ErrorCode::io_error, [&] { Checkpoint::open(dir.path()); }, name, "a regular file");
  }
}

TEST_CASE("a file rewritten between opening and reading is noticed") {
  const TempDir dir;
  dir.write("model.safetensors", safetensors_of({f32_tensor("w", {2}, {1, 2})}));
  const Checkpoint checkpoint = Checkpoint::open(dir.path());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  dir.write("model.safetensors", safetensors_of({f32_tensor("w", {2}, {3, 4})}));
  expect_error(
      ErrorCode::io_error, [&] { read_all(checkpoint, "w"); }, "model.safetensors", "changed");
  dir.write("model.safetensors", "");
  expect_error(
      ErrorCode::truncated, [&] { read_all(checkpoint, "w"); }, "model.safetensors");
}

TEST_CASE("many threads read from one checkpoint") {
  std::vector<float> values(100'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const TempDir dir;
  dir.write("model.safetensors", safetensors_of({f32_tensor("w", {100, 1000}, values)}));
  const Checkpoint checkpoint = Checkpoint::open(dir.path());
  std::vector<std::vector<float>> read(8, std::vector<float>(values.size()));
  std::vector<std::thread> threads;
  for (std::vector<float>& out : read) {
    threads.emplace_back([&] {
      for (int64_t row = 0; row < 100; ++row)
        checkpoint.read_f32_rows(checkpoint.tensors()[0], row,
                                 std::span(out).subspan(static_cast<size_t>(row) * 1000, 1000));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& out : read) CHECK(out == values);
}

TEST_CASE("thousands of failed loads leave no descriptor open") {
  const TempDir dir;
  const std::string good = safetensors_of({f32_tensor("w", {2}, {1, 2})});
  dir.write("s1", good);
  dir.write("s2", "bad");
  dir.write("model.safetensors.index.json", index_json({{"w", "s1"}, {"v", "s2"}}));
  const size_t before = open_descriptors();
  for (int i = 0; i < 5000; ++i) CHECK_THROWS_AS(Checkpoint::open(dir.path()), Error);
  dir.write("model.safetensors", good + "x");
  for (int i = 0; i < 5000; ++i) CHECK_THROWS_AS(Checkpoint::open(dir.path()), Error);
  CHECK(open_descriptors() == before);
}
