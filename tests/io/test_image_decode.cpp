// Decoding: Pillow's pixels for every recorded file, and refusal of what is cut, damaged or too large.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/sha256.h"
#include "io/image_decode.h"
#include "tests/support/decoders.h"
#include "tests/support/expect_error.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

namespace tw {
namespace {

using test::built_with_stb;
using Bytes = std::vector<uint8_t>;

const std::filesystem::path kFiles = TUWEN_TEST_DATA "/images/files";

Bytes bytes_of(const std::filesystem::path& path) {
  const std::string text = test::read_text(path);
  return {text.begin(), text.end()};
}

struct Golden {
  std::string file, mode, sha;
  int32_t width = 0, height = 0;
};

std::vector<Golden> goldens() {
  std::ifstream list(TUWEN_TEST_DATA "/images/decode.txt");
  std::vector<Golden> all;
  for (std::string line; std::getline(list, line);) {
    if (line.empty() || line[0] == '#') continue;
    Golden g;
    std::istringstream(line) >> g.file >> g.mode >> g.width >> g.height >> g.sha;
    all.push_back(g);
  }
  return all;
}

bool starts(const std::string& text, const char* with) { return text.rfind(with, 0) == 0; }

TEST_CASE("image: every recorded file has Pillow's pixels", "[image]") {
  const bool stb = built_with_stb();
  const std::vector<Golden> all = goldens();
  CHECK(all.size() >= 80);
  for (const Golden& g : all) {
    if (stb && starts(g.file, "webp")) continue;
    INFO(g.file);
    const Image image = read_image(kFiles / g.file);
    CHECK(image.width == g.width);
    CHECK(image.height == g.height);
    CHECK(image.rgb.size() == static_cast<size_t>(g.width) * static_cast<size_t>(g.height) * 3);
    if (stb && starts(g.file, "jpeg")) continue;
    CHECK(tw::sha256(image.rgb).substr(0, 16) == g.sha);
    if (!stb) CHECK(name(image.source_mode) == g.mode);
  }
}

TEST_CASE("image: a published picture", "[image]") {
  const char* folder = std::getenv("TUWEN_PUBLISHED_DATA");
  if (folder == nullptr || built_with_stb()) {
    WARN("skipped: TUWEN_PUBLISHED_DATA does not name a directory with pokemon.jpeg");
    return;
  }
  const Image image = read_image(std::filesystem::path(folder) / "pokemon.jpeg");
  CHECK(tw::sha256(image.rgb) == "1c9bd029c31b58f8d1b5c2b79449eee82c1c9bbf80f83b064b7754c74156ac0f");
}

TEST_CASE("image: a file that ends early is refused at every length", "[image]") {
  const bool stb = built_with_stb();
  for (const Golden& g : goldens()) {
    if (stb && starts(g.file, "webp")) continue;
    const Bytes whole = bytes_of(kFiles / g.file);
    const bool bmp = starts(g.file, "bmp");
    // What stands behind the pixels of a bitmap is not needed: the padding of the last row, the end mark.
    const size_t needed = bmp ? whole.size() - 4 : whole.size();
    const size_t magic = bmp ? 2 : starts(g.file, "jpeg") ? 3 : starts(g.file, "png") ? 8 : 12;
    for (size_t length = 0; length < needed; ++length) {
      INFO(g.file << " cut to " << length << " of " << whole.size());
      // A copy of exactly this length, so that the sanitizers see a read beyond it.
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      const Error error = test::error_of([&] { decode_image(cut, "cut.img"); });
      INFO(error.what());
      CHECK(name(error.code()) == name(length < magic ? ErrorCode::unsupported : ErrorCode::truncated));
      CHECK(error.detail().file == "cut.img");
    }
  }
}

TEST_CASE("image: damaged files give an error or pixels of the stated size", "[image]") {
  test::Random random(30);
  const bool stb = built_with_stb();
  std::map<std::string, int> seen;
  for (const Golden& g : goldens()) {
    if (stb && starts(g.file, "webp")) continue;
    const Bytes whole = bytes_of(kFiles / g.file);
    for (int round = 0; round < 150; ++round) {
      Bytes damaged = whole;
      const int64_t places = random.integer(1, 4);
      const auto last = static_cast<int64_t>(whole.size()) - 1;
      for (int64_t i = 0; i < places; ++i) {
        const auto at = static_cast<size_t>(random.integer(0, random.chance(0.5) ? std::min<int64_t>(last, 60) : last));
        damaged[at] = random.chance(0.3) ? static_cast<uint8_t>(255 * random.integer(0, 1))
                                         : static_cast<uint8_t>(random.integer(0, 255));
      }
      try {
        const Image image = decode_image(damaged, "damaged", {.max_side = 2000, .max_pixels = 100000});
        CHECK(image.rgb.size() == static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3);
        ++seen["read"];
      } catch (const Error& error) {
        ++seen[std::string(name(error.code()))];
        CHECK(error.code() != ErrorCode::internal);
        CHECK(error.code() != ErrorCode::out_of_memory);
      }
    }
  }
  // The damage reaches every kind of check.
  for (const char* kind : {"read", "malformed", "truncated", "unsupported", "limit exceeded"}) CHECK(seen[kind] > 0);
}

void put32_big(Bytes& bytes, size_t at, uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes.at(at++) = static_cast<uint8_t>(value >> (24 - 8 * i));
}

TEST_CASE("image: limits are checked before anything is decoded", "[image]") {
  const Bytes png = bytes_of(kFiles / "png-c2-d8.png");
  const Bytes jpeg = bytes_of(kFiles / "jpeg-rgb-444.jpg");
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { decode_image(png, "a.png", {.max_file_bytes = 20}); }, "a.png", "file size",
      "20 bytes");
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { decode_image(png, "a.png", {.max_side = 10}); }, "width", "10", "13");
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { decode_image(jpeg, "a.jpg", {.max_side = 20}); }, "height", "20", "21");
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { decode_image(png, "a.png", {.max_pixels = 116}); }, "13 x 9", "116");
  decode_image(png, "a.png", {.max_side = 13, .max_pixels = 117});

  Bytes huge = png;  // claims 4 gigapixels; its checksum is not reached
  put32_big(huge, 16, 65535);
  put32_big(huge, 20, 65535);
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { decode_image(huge, "huge.png"); }, "huge.png", "65535");

  Bytes bmp = bytes_of(kFiles / "bmp-24.bmp");
  bmp[20] = 0x10;  // width 11 + 0x100000
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { decode_image(bmp, "wide.bmp"); }, "width", "1048587");
}

TEST_CASE("image: a JPEG with more scans than allowed", "[image]") {
  const Bytes jpeg = bytes_of(kFiles / "jpeg-l-progressive.jpg");
  const Bytes sos = {0xFF, 0xDA};
  const auto scan = std::search(jpeg.begin(), jpeg.end(), sos.begin(), sos.end());
  REQUIRE(scan != jpeg.end());
  Bytes many(jpeg.begin(), scan);
  const Bytes one(scan, jpeg.end() - 2);  // all scans of the file, without the end marker
  for (int i = 0; i < 101; ++i) many.insert(many.end(), one.begin(), one.end());
  many.push_back(0xFF);
  many.push_back(0xD9);
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { decode_image(many, "many.jpg"); }, "scans", "100");
}

TEST_CASE("image: what a PNG holds behind its last row is not inflated", "[image]") {
  // One grey pixel of value 5, then stored blocks of nothing useful: deflate's type 0, 65,535 bytes each.
  Bytes stream = {0x78, 0x01, 0x00, 0x02, 0x00, 0xFD, 0xFF, 0x00, 0x05};
  for (int i = 0; i < 3; ++i) {
    stream.insert(stream.end(), {0x00, 0xFF, 0xFF, 0x00, 0x00});
    stream.resize(stream.size() + 65535, 0xAA);
  }
  const auto crc = [](const Bytes& data) {
    uint32_t c = 0xFFFFFFFFu;
    for (const uint8_t byte : data) {
      c ^= byte;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    }
    return ~c;
  };
  Bytes file = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  const auto add_chunk = [&](const char* type, const Bytes& data) {
    Bytes body(type, type + 4);
    body.insert(body.end(), data.begin(), data.end());
    file.resize(file.size() + 4);
    put32_big(file, file.size() - 4, static_cast<uint32_t>(data.size()));
    file.insert(file.end(), body.begin(), body.end());
    file.resize(file.size() + 4);
    put32_big(file, file.size() - 4, crc(body));
  };
  add_chunk("IHDR", {0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0});
  add_chunk("IDAT", stream);  // no final block, no checksum: an error if anybody went on reading
  add_chunk("IEND", {});
  if (built_with_stb()) return;  // inflates everything, within its memory limit
  CHECK(decode_image(file, "tail.png").rgb == Bytes{5, 5, 5});
}

TEST_CASE("image: a PNG with a wrong checksum is refused", "[image]") {
  for (const char* file : {"png-c2-d8.png", "png-c3-d4-interlaced.png"}) {
    Bytes png = bytes_of(kFiles / file);
    png[png.size() - 20] ^= 1;  // in the last IDAT chunk
    test::expect_error(
        ErrorCode::malformed, [&] { decode_image(png, file); }, file, "IDAT", "checksum");
  }
}

TEST_CASE("image: formats that are not read", "[image]") {
  const auto refuses = [](const std::string& text, const char* found) {
    const Bytes bytes(text.begin(), text.end());
    test::expect_error(
        ErrorCode::unsupported, [&] { decode_image(bytes, "x"); }, "JPEG, PNG, WebP or BMP", found);
  };
  refuses("", "an empty file");
  refuses("GIF89a..", "bytes 47 49 46 38 39 61 2e 2e");
  refuses("II*\0", "bytes 49 49 2a");
  refuses("RIFF\x10\x0\x0\x0WAVEfmt ", "bytes 52 49 46 46");

  Bytes jpeg = bytes_of(kFiles / "jpeg-l.jpg");
  const Bytes sof = {0xFF, 0xC0, 0x00};
  const auto frame = std::search(jpeg.begin(), jpeg.end(), sof.begin(), sof.end());
  REQUIRE(frame != jpeg.end());
  frame[1] = 0xC3;
  test::expect_error(
      ErrorCode::unsupported, [&] { decode_image(jpeg, "x"); }, "SOF3");
  frame[1] = 0xC0;
  frame[4] = 12;
  test::expect_error(
      ErrorCode::unsupported, [&] { decode_image(jpeg, "x"); }, "12 bits");
}

// Headers of 40 bytes; palette entries B, G, R, 0.
Bytes bitmap(int width, int height, int bits, int compression, const Bytes& palette, const Bytes& data) {
  Bytes file = {'B', 'M', 0, 0, 0, 0, 0, 0, 0, 0};
  const auto put = [&](size_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) file.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  put(54 + palette.size(), 4);
  put(40, 4);
  put(static_cast<size_t>(width), 4);
  put(static_cast<size_t>(height), 4);
  put(1, 2);
  put(static_cast<size_t>(bits), 2);
  put(static_cast<size_t>(compression), 4);
  for (int i = 0; i < 3; ++i) put(0, 4);
  put(palette.size() / 4, 4);
  put(0, 4);
  file.insert(file.end(), palette.begin(), palette.end());
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

Bytes reds(const Image& image) {
  Bytes out;
  for (size_t i = 0; i < image.rgb.size(); i += 3) out.push_back(image.rgb[i]);
  return out;
}

TEST_CASE("image: bitmaps that Pillow reads otherwise or not at all", "[image]") {
  const Bytes palette = {0, 0, 10, 0, 0, 0, 20, 0, 0, 0, 30, 0};
  // Two rows of three pixels, the lower one first. A line without pixels is a line.
  CHECK(reds(decode_image(bitmap(3, 2, 8, 1, palette, {0, 0, 3, 1, 0, 1}), "x")) == Bytes{20, 20, 20, 10, 10, 10});
  // The end mark may come early.
  CHECK(reds(decode_image(bitmap(3, 2, 8, 1, palette, {2, 2, 0, 1}), "x")) == Bytes{10, 10, 10, 30, 30, 10});
  // Without it the data is cut short.
  test::expect_error(
      ErrorCode::truncated,
      [&] {
        decode_image(bitmap(3, 2, 8, 1, palette, {2, 2}), "x");
      },
      "run-length", "2 of 6 pixels");
  // One byte per pixel and two colours, black and white.
  const Bytes two = {0, 0, 0, 0, 255, 255, 255, 0};
  CHECK(reds(decode_image(bitmap(4, 1, 8, 0, two, {0, 1, 1, 0}), "x")) == Bytes{0, 255, 255, 0});
  // Indices beyond the palette are black.
  CHECK(reds(decode_image(bitmap(4, 1, 8, 0, palette, {0, 2, 3, 255}), "x")) == Bytes{10, 30, 0, 0});
}

TEST_CASE("image: runs and jumps cannot leave the bitmap", "[image]") {
  const Bytes palette = {0, 0, 10, 0, 0, 0, 20, 0};
  // A jump far outside, a run longer than its row, single pixels beyond the last row.
  CHECK(reds(decode_image(bitmap(2, 2, 8, 1, palette, {0, 2, 255, 255}), "x")).size() == 4);
  CHECK(reds(decode_image(bitmap(2, 2, 8, 1, palette, {200, 1, 0, 0, 200, 1}), "x")) == Bytes{20, 20, 20, 20});
  CHECK(reds(decode_image(bitmap(2, 2, 8, 1, palette, {0, 6, 1, 1, 1, 1, 1, 1}), "x")) == Bytes{20, 20, 20, 20});
  // A full row leaves no room for another run in it; the data then ends.
  test::expect_error(
      ErrorCode::truncated,
      [&] {
        decode_image(bitmap(2, 2, 8, 1, palette, {2, 1, 200, 1}), "x");
      },
      "2 of 4 pixels");
}

TEST_CASE("image: reading from disk names the path", "[image]") {
  const test::TempDir folder;
  test::expect_error(
      ErrorCode::io_error, [&] { read_image(folder.path() / "missing.png"); }, "missing.png");
  const auto path = folder.write("text.png", "hello");
  test::expect_error(
      ErrorCode::unsupported, [&] { read_image(path); }, path.string(), "68 65 6c 6c 6f");
  // The name does not matter, the content does.
  const auto misnamed = folder.write("photo.png", test::read_text(kFiles / "jpeg-l.jpg"));
  CHECK(read_image(misnamed).source_mode == ImageMode::grey);
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { read_image(misnamed, {.max_file_bytes = 10}); }, path.parent_path().string());
}

TEST_CASE("image: several threads decode at once", "[image]") {
  const bool stb = built_with_stb();
  const std::vector<Golden> all = goldens();
  std::vector<std::vector<std::string>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (const Golden& g : all) {
        if (stb && starts(g.file, "webp")) continue;
        result.push_back(tw::sha256(read_image(kFiles / g.file).rgb));
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (const auto& result : results) CHECK(result == results[0]);
}

TEST_CASE("image: conversion to RGB", "[image]") {
  const auto converted = [](ImageMode mode, Bytes pixels) {
    RawImage raw;
    raw.width = 1;
    raw.height = 1;
    raw.mode = mode;
    raw.pixels = std::move(pixels);
    return to_rgb(raw).rgb;
  };
  CHECK(converted(ImageMode::grey16, {200, 0}) == Bytes{200, 200, 200});
  CHECK(converted(ImageMode::grey16, {0, 1}) == Bytes{255, 255, 255});  // 256 saturates
  CHECK(converted(ImageMode::rgba, {1, 2, 3, 0}) == Bytes{1, 2, 3});    // colours under alpha 0 show
  CHECK(converted(ImageMode::grey_alpha, {9, 0}) == Bytes{9, 9, 9});
  CHECK(converted(ImageMode::cmyk, {0, 128, 255, 0}) == Bytes{255, 127, 0});
  CHECK(converted(ImageMode::cmyk, {100, 0, 0, 55}) == Bytes{122, 200, 200});  // 200 - round(100 * 200 / 255)
}

}  // namespace
}  // namespace tw
