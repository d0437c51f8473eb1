// Resizing: against Pillow's recorded results, and every instruction set against the plain loops.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "core/cpu_info.h"
#include "core/error.h"
#include "core/sha256.h"
#include "kernels/resize.h"
#include "tests/support/guarded.h"
#include "tests/support/noise.h"
#include "tests/support/random.h"

namespace tw {
namespace {

struct Implementation {
  const char* name;
  ResizeFunctions functions;
};

std::vector<Implementation> implementations() {
  std::vector<Implementation> all = {{"reference", {resize_horizontal_u8_reference, resize_vertical_u8_reference}}};
  const CpuInfo cpu = query_cpu();
  if (cpu.avx2) all.push_back({"avx2", {resize_horizontal_u8_avx2, resize_vertical_u8_avx2}});
  if (cpu.avx512) all.push_back({"avx512", {resize_horizontal_u8_avx512, resize_vertical_u8_avx512}});
  return all;
}

struct Picture {
  int32_t height, width, channels;
  std::vector<uint8_t> pixels;

  ResizeSource source() const {
    return {pixels.data(), static_cast<int64_t>(width) * channels, height, width, channels};
  }
};

Picture resized(Resizer& resizer, const ResizeFunctions& functions, const Picture& from, int32_t height, int32_t width,
                ResizeFilter filter, ResizeOrder order = ResizeOrder::pillow_13) {
  Picture to = {height, width, from.channels, {}};
  to.pixels.resize(static_cast<size_t>(height) * static_cast<size_t>(width) * static_cast<size_t>(from.channels));
  resizer.resize(functions, filter, order, from.source(), to.pixels.data(), height, width);
  return to;
}

// The pattern of docs/image-parity.md: smooth ramps, a parabola and a checkered texture.
Picture ramps(int32_t width, int32_t height) {
  Picture p = {height, width, 3, {}};
  for (int32_t y = 0; y < height; ++y) {
    for (int32_t x = 0; x < width; ++x) {
      p.pixels.push_back(static_cast<uint8_t>(7 * x + 13 * y));
      p.pixels.push_back(static_cast<uint8_t>(x * x + 3 * y));
      p.pixels.push_back(static_cast<uint8_t>((x ^ y) * 5));
    }
  }
  return p;
}

Picture noise(int32_t width, int32_t height, int32_t channels) {
  return {height, width, channels, test::noise(int64_t{width} * height * channels)};
}

TEST_CASE("resize: published check values", "[resize]") {
  struct Check {
    int32_t width, height, to_width, to_height;
    const char* sha;  // first 16 digits
    std::vector<int> first;
    int64_t sum;
  };
  const Check checks[] = {
      {7, 5, 4, 3, "add9de6a43007ce9", {8, 1, 2, 20, 5, 10, 32, 16, 20}, 984},
      {4, 3, 9, 8, "f51239cb30bbc30d", {0, 0, 0, 0, 0, 1, 3, 0, 3}, 2702},
      {37, 23, 16, 16, "2414e3dd043eec7f", {8, 2, 4, 23, 10, 15, 40, 29, 26}, 84816},
      {64, 48, 224, 224, "eb0c1e5401078e7c", {0, 0, 0, 0, 0, 0, 0, 0, 1}, 18132803},
      {300, 200, 224, 224, "d5d6b3e9264aa799", {1, 0, 1, 10, 2, 7, 20, 8, 14}, 19090049},
  };
  Resizer resizer;
  for (const Implementation& impl : implementations()) {
    for (const Check& c : checks) {
      INFO(impl.name << " " << c.width << "x" << c.height << " -> " << c.to_width << "x" << c.to_height);
      const Picture to = resized(resizer, impl.functions, ramps(c.width, c.height), c.to_height, c.to_width,
                                 ResizeFilter::bicubic, ResizeOrder::horizontal_first);
      CHECK(tw::sha256(to.pixels).substr(0, 16) == c.sha);
      CHECK(std::vector<int>(to.pixels.begin(), to.pixels.begin() + 9) == c.first);
      CHECK(std::accumulate(to.pixels.begin(), to.pixels.end(), int64_t{0}) == c.sum);
    }
  }
}

TEST_CASE("resize: recorded results of Pillow", "[resize]") {
  std::ifstream file(TUWEN_TEST_DATA "/images/resize.txt");
  REQUIRE(file.is_open());
  Resizer resizer;
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    int filter = 0;
    int32_t width = 0, height = 0, channels = 0, to_width = 0, to_height = 0;
    std::string sha;
    fields >> filter >> width >> height >> channels >> to_width >> to_height >> sha;
    REQUIRE(!fields.fail());
    const Picture from = noise(width, height, channels);
    for (const Implementation& impl : implementations()) {
      INFO(impl.name << ": " << line);
      const Picture to = resized(resizer, impl.functions, from, to_height, to_width, static_cast<ResizeFilter>(filter));
      CHECK(tw::sha256(to.pixels).substr(0, 16) == sha);
    }
    ++cases;
  }
  CHECK(cases > 100);
}

// Both passes by themselves, on buffers that end at an inaccessible page, against the plain loops.
TEST_CASE("resize: every instruction set gives the bytes of the reference", "[resize]") {
  test::Random random(20);
  const std::vector<Implementation> all = implementations();
  const ResizeFilter filters[] = {ResizeFilter::lanczos, ResizeFilter::bilinear, ResizeFilter::bicubic,
                                  ResizeFilter::box, ResizeFilter::hamming};
  for (int round = 0; round < 400; ++round) {
    const auto limit = random.chance(0.1) ? 700 : 80;
    const auto source = static_cast<int32_t>(random.integer(1, limit));
    const auto output = static_cast<int32_t>(random.integer(1, limit));
    const int64_t rows = random.integer(1, 40);
    const int32_t channels = random.chance(0.5) ? 3 : 1;
    const int64_t extra = random.integer(0, 3);
    const ResizeFilter filter = filters[random.integer(0, 4)];
    const bool saturated = random.chance(0.3);  // 0 and 255 only: the largest sums
    const auto draw = [&] {
      return static_cast<uint8_t>(saturated ? 255 * random.integer(0, 1) : random.integer(0, 255));
    };
    CAPTURE(round, source, output, rows, channels, extra, static_cast<int>(filter));

    ResizeAxis axis;
    axis.set(source, output, filter, 4);
    const ResizeTaps across = axis.taps();
    const int64_t src_row = static_cast<int64_t>(source) * channels, dst_row = static_cast<int64_t>(output) * channels;
    test::Guarded<uint8_t> src((rows - 1) * (src_row + extra) + src_row);
    for (int64_t i = 0; i < src.size(); ++i) src.data()[i] = draw();
    src.freeze();
    std::vector<std::vector<uint8_t>> results;
    for (const Implementation& impl : all) {
      test::Guarded<uint8_t> dst((rows - 1) * (dst_row + extra) + dst_row);
      test::Guarded<uint8_t> scratch(resize_horizontal_scratch(source, channels));
      impl.functions.horizontal(
          {src.data(), src_row + extra, dst.data(), dst_row + extra, rows, channels, &across, scratch.data()});
      CHECK(dst.surroundings_intact());
      CHECK(scratch.surroundings_intact());
      results.emplace_back(dst.data(), dst.data() + dst.size());
    }
    for (size_t i = 1; i < results.size(); ++i) CHECK(results[i] == results[0]);

    ResizeAxis upright;
    upright.set(source, output, filter, 1);
    const ResizeTaps down = upright.taps();
    const int64_t bytes = random.integer(1, 200);
    const int64_t first = random.integer(0, output - 1), outputs = random.integer(1, output - first);
    // Only the rows that these outputs need are accessible.
    int64_t low = source, high = 0;
    for (int64_t y = first; y < first + outputs; ++y) {
      low = std::min<int64_t>(low, down.windows[y].first);
      high = std::max<int64_t>(high, down.windows[y].first + down.windows[y].count);
    }
    test::Guarded<uint8_t> column((high - low - 1) * (bytes + extra) + bytes, test::Edge::end);
    for (int64_t i = 0; i < column.size(); ++i) column.data()[i] = draw();
    column.freeze();
    results.clear();
    for (const Implementation& impl : all) {
      test::Guarded<uint8_t> dst((outputs - 1) * (bytes + extra) + bytes);
      impl.functions.vertical(
          {column.data(), bytes + extra, low, dst.data(), bytes + extra, bytes, first, outputs, &down});
      CHECK(dst.surroundings_intact());
      results.emplace_back(dst.data(), dst.data() + dst.size());
    }
    for (size_t i = 1; i < results.size(); ++i) CHECK(results[i] == results[0]);
  }
}

// What the 16-bit kernels rely on, and that nothing of a weight is lost in its packed form.
TEST_CASE("resize: weights keep their promises", "[resize]") {
  test::Random random(21);
  for (int round = 0; round < 3000; ++round) {
    const int64_t limit = round % 10 == 0 ? 5000 : 60;
    const auto source = static_cast<int32_t>(random.integer(1, limit));
    const auto output = static_cast<int32_t>(random.integer(1, limit));
    const auto filter = static_cast<ResizeFilter>(random.integer(1, 5));
    const int32_t alignment = random.chance(0.5) ? 4 : 1;
    CAPTURE(source, output, static_cast<int>(filter), alignment);
    ResizeAxis axis;
    axis.set(source, output, filter, alignment);
    const ResizeTaps taps = axis.taps();
    bool sums_small = true, windows_inside = true, packed_alike = true;
    for (int32_t i = 0; i < output; ++i) {
      const ResizeWindow& w = taps.windows[i];
      windows_inside = windows_inside && w.first >= 0 && w.count >= 1 && w.first + w.count <= source &&
                       w.group_first >= 0 && w.group_first <= w.first && w.group_first % alignment == 0 &&
                       w.group_first + 4 * w.group_count >= w.first + w.count;
      int64_t sum = 0;
      for (int32_t j = 0; j < w.count; ++j) sum += std::abs(taps.weights[w.weights + j]);
      sums_small = sums_small && sum < 19 * (int64_t{1} << 22) / 10;
      for (int32_t p = 0; p < 4 * w.group_count; ++p) {
        const ResizeGroup& g = taps.groups[w.groups + p / 4];
        const int high = static_cast<int8_t>(g.high >> (8 * (p % 4)));
        const int low = static_cast<int16_t>((p % 2 == 0 ? g.even : g.odd) >> (p % 4 / 2 * 16));
        const int32_t j = w.group_first + p - w.first;
        const int32_t expected = j >= 0 && j < w.count ? taps.weights[w.weights + j] : 0;
        packed_alike = packed_alike && high * 65536 + low == expected;
      }
    }
    CHECK(sums_small);
    CHECK(windows_inside);
    CHECK(packed_alike);
  }
}

TEST_CASE("resize: the same size is a copy, whatever the stride", "[resize]") {
  const Picture from = noise(13, 7, 3);
  std::vector<uint8_t> spread(7 * 50, 0);
  for (size_t y = 0; y < 7; ++y)
    std::copy_n(from.pixels.begin() + static_cast<int64_t>(39 * y), 39, spread.begin() + static_cast<int64_t>(50 * y));
  Resizer resizer;
  for (int filter = 0; filter <= 5; ++filter) {
    std::vector<uint8_t> to(from.pixels.size());
    resizer.resize(implementations().back().functions, static_cast<ResizeFilter>(filter), ResizeOrder::pillow_13,
                   {spread.data(), 50, 7, 13, 3}, to.data(), 7, 13);
    CHECK(to == from.pixels);
  }
}

TEST_CASE("resize: a Resizer that has worked on other sizes gives the same bytes", "[resize]") {
  test::Random random(22);
  Resizer kept;
  const ResizeFunctions functions = implementations().back().functions;
  for (int round = 0; round < 300; ++round) {
    // Few sizes, so that axes repeat while the other one or the filter changes.
    const auto side = [&] { return static_cast<int32_t>(5 * random.integer(1, 4)); };
    const Picture from = noise(side(), side(), 3);
    const int32_t height = side(), width = side();
    const auto filter = static_cast<ResizeFilter>(random.integer(0, 5));
    Resizer fresh;
    CHECK(resized(kept, functions, from, height, width, filter).pixels ==
          resized(fresh, functions, from, height, width, filter).pixels);
  }
}

TEST_CASE("resize: arguments that cannot be", "[resize]") {
  Resizer resizer;
  const ResizeFunctions f = implementations().front().functions;
  std::vector<uint8_t> src(300), dst(300);
  const auto refuses = [&](const ResizeSource& source, int32_t height, int32_t width, const char* field) {
    try {
      resizer.resize(f, ResizeFilter::bicubic, ResizeOrder::pillow_13, source, dst.data(), height, width);
      FAIL("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == ErrorCode::invalid_argument);
      CHECK(e.detail().field == field);
    }
  };
  refuses({src.data(), 30, 10, 10, 2}, 5, 5, "channels");
  refuses({src.data(), 29, 10, 10, 3}, 5, 5, "row stride");
  refuses({src.data(), 30, 0, 10, 3}, 5, 5, "source height");
  refuses({src.data(), 30, 10, -1, 3}, 5, 5, "source width");
  refuses({src.data(), 30, 10, 10, 3}, 0, 5, "height");
  refuses({src.data(), 30, 10, 10, 3}, 5, kMaxResizeSide + 1, "width");
}

}  // namespace
}  // namespace tw
