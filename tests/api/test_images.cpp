#include <array>
#include <catch2/catch.hpp>
#include <cstring>

#include "tests/api/fixtures.h"

using namespace tuwen::test;

namespace {

// A 2x2 24-bit BMP: rows from the bottom, padded to four bytes, blue first.
const std::array<uint8_t, 70> kBmp = {'B', 'M', 70, 0, 0,  0, 0, 0, 0, 0, 54, 0,  0,  0,  // file
                                      40,  0,   0,  0, 2,  0, 0, 0, 2, 0, 0,  0,  1,  0,  24, 0,
                                      0,   0,   0,  0, 16, 0, 0, 0, 0, 0, 0,  0,  0,  0,  0,  0,  //
                                      0,   0,   0,  0, 0,  0, 0, 0,                               //
                                      3,   2,   1,  6, 5,  4, 0, 0, 9, 8, 7,  12, 11, 10, 0,  0};

}  // namespace

TEST_CASE("a picture from memory") {
  const tuwen::Image image = tuwen::Image::decode(std::as_bytes(std::span(kBmp)));
  const tuwen_pixels pixels = image.pixels();
  REQUIRE(pixels.width == 2);
  REQUIRE(pixels.height == 2);
  CHECK(pixels.channels == 3);
  CHECK(pixels.row_bytes == 6);
  const uint8_t expected[] = {7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6};
  CHECK(std::memcmp(pixels.data, expected, sizeof expected) == 0);
}

TEST_CASE("pictures that are none, or too large") {
  CHECK(status_of([] { tuwen::Image::read("no/such.png"); }) == TUWEN_IO_ERROR);
  CHECK(status_of([] { tuwen::Image::decode({}); }) != TUWEN_OK);
  CHECK(status_of([] { tuwen::Image::decode(std::as_bytes(std::span(kBmp)).first(60)); }) == TUWEN_TRUNCATED);
  auto options = tuwen::make<tuwen_image_options>();
  options.max_pixels = 3;
  CHECK(status_of([&] { tuwen::Image::decode(std::as_bytes(std::span(kBmp)), &options); }) == TUWEN_LIMIT_EXCEEDED);
  options.max_pixels = -3;
  CHECK(status_of([&] { tuwen::Image::decode(std::as_bytes(std::span(kBmp)), &options); }) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("pixels of the caller: every layout gives the same picture") {
  const int64_t width = 3, height = 2;
  const auto value = [](int64_t x, int64_t y, int c) { return static_cast<uint8_t>(40 * y + 10 * x + c); };
  for (const int channels : {3, 4}) {
    for (const int64_t gap : {0, 5}) {
      const int64_t row_bytes = width * channels + gap;
      std::vector<uint8_t> data(static_cast<size_t>((height - 1) * row_bytes + width * channels), 255);
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          for (int c = 0; c < 3; ++c) data[static_cast<size_t>(y * row_bytes + x * channels + c)] = value(x, y, c);
        }
      }
      const auto image = tuwen::Image::from_pixels({data.data(), width, height, row_bytes, channels}, data.size());
      const tuwen_pixels pixels = image.pixels();
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          for (int c = 0; c < 3; ++c) CHECK(pixels.data[y * pixels.row_bytes + x * 3 + c] == value(x, y, c));
        }
      }
    }
  }
  const uint8_t grey[] = {1, 2, 3};
  const auto image = tuwen::Image::from_pixels({grey, 3, 1, 3, 1}, 3);
  const uint8_t expected[] = {1, 1, 1, 2, 2, 2, 3, 3, 3};
  CHECK(std::memcmp(image.pixels().data, expected, sizeof expected) == 0);
}

TEST_CASE("pixels whose description does not hold") {
  const std::vector<uint8_t> data(300);
  const auto refused = [&](tuwen_pixels pixels, size_t size) {
    return status_of([&] { tuwen::Image::from_pixels(pixels, size); }) == TUWEN_INVALID_ARGUMENT;
  };
  CHECK_FALSE(refused({data.data(), 10, 10, 30, 3}, 300));
  CHECK(refused({data.data(), 10, 10, 30, 3}, 299));
  CHECK(refused({data.data(), 10, 10, 29, 3}, 300));
  CHECK(refused({data.data(), 10, 11, 30, 3}, 300));
  CHECK(refused({data.data(), 0, 10, 30, 3}, 300));
  CHECK(refused({data.data(), -10, 10, 30, 3}, 300));
  CHECK(refused({data.data(), 10, 10, 30, 2}, 300));
  CHECK(refused({nullptr, 10, 10, 30, 3}, 300));
  CHECK(refused({data.data(), 1, INT64_MAX, 3, 3}, 300));
  CHECK(refused({data.data(), 1, 1 << 20, INT64_MAX, 3}, 300));
  CHECK_FALSE(refused({data.data(), 1, 1, INT64_MAX, 3}, 300));  // one row: the distance to the next does not matter
}
