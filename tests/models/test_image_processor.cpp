// The image processor against recorded results of the reference, its options, and the path through bytes.
#include <bit>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/cpu_info.h"
#include "core/error.h"
#include "core/sha256.h"
#include "kernels/kernel_table.h"
#include "models/image_processor.h"
#include "tests/support/decoders.h"
#include "tests/support/expect_error.h"
#include "tests/support/noise.h"
#include "tests/support/random.h"

namespace tw {
namespace {

using nlohmann::json;

const std::filesystem::path kFiles = TUWEN_TEST_DATA "/images/files";

ResizeFunctions functions() {
  const CpuInfo cpu = query_cpu();
  if (cpu.avx512) return {resize_horizontal_u8_avx512, resize_vertical_u8_avx512};
  if (cpu.avx2) return {resize_horizontal_u8_avx2, resize_vertical_u8_avx2};
  return {resize_horizontal_u8_reference, resize_vertical_u8_reference};
}

ImageProcessorOptions parsed(const std::string& text) { return parse_image_processor_config(text, "p.json"); }

// The published preprocessor_config.json of the base model.
ImageProcessorOptions published() {
  return parsed(R"({"crop_size": {"height": 224, "width": 224}, "do_center_crop": false, "do_convert_rgb": true,
    "do_normalize": true, "do_rescale": true, "do_resize": true, "feature_extractor_type": "ChineseCLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "ChineseCLIPImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "rescale_factor": 0.00392156862745098,
    "size": {"height": 224, "width": 224}})");
}

Image noise_image(int32_t width, int32_t height) {
  return {width, height, test::noise(int64_t{width} * height * 3), ImageMode::rgb};
}

template <class T>
std::vector<T> values_of(const PixelValues& values) {
  std::vector<T> out(values.data.size() / sizeof(T));
  std::memcpy(out.data(), values.data.data(), values.data.size());
  return out;
}

PixelArray array_of(std::span<const std::byte> data, DType dtype, ChannelLayout layout, int32_t height, int32_t width,
                    int32_t channels) {
  return {.data = data, .dtype = dtype, .layout = layout, .height = height, .width = width, .channels = channels};
}

TEST_CASE("image processor: the table of normalised bytes", "[image]") {
  const auto table = normalisation_table(published());
  const uint32_t expected[3][3] = {
      {0xbfe568dc, 0x3d9c5620, 0x3ff71541}, {0xbfe044b8, 0x3e2cf36b, 0x4004cae5}, {0xbfbd77d8, 0x3eae0dc4, 0x40095660}};
  for (size_t c = 0; c < 3; ++c) {
    CHECK(std::bit_cast<uint32_t>(table[c * 256]) == expected[c][0]);
    CHECK(std::bit_cast<uint32_t>(table[c * 256 + 128]) == expected[c][1]);
    CHECK(std::bit_cast<uint32_t>(table[c * 256 + 255]) == expected[c][2]);
  }
  CHECK(tw::sha256(std::as_bytes(std::span(table))) ==
        "5d23c0b115c373c73875b37dce36aa6a54af484dd4332d5f9d07d6ebecb20900");
  ImageProcessorOptions bare;
  bare.do_rescale = bare.do_normalize = false;
  CHECK(normalisation_table(bare)[256 + 77] == 77.0f);
}

// [height, width, channels] of u8, f32 or f64: noise as bytes, as whole numbers, or divided by 255 in its own type.
std::vector<std::byte> golden_array(const std::vector<int32_t>& shape, const std::string& dtype, bool unit) {
  const std::vector<uint8_t> bytes = test::noise(int64_t{shape[0]} * shape[1] * shape[2]);
  std::vector<std::byte> out;
  const auto append = [&](auto value) {
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), raw, raw + sizeof(value));
  };
  for (const uint8_t b : bytes) {
    if (dtype == "u8") append(b);
    if (dtype == "f32") append(unit ? static_cast<float>(b) / 255.0f : static_cast<float>(b));
    if (dtype == "f64") append(unit ? static_cast<double>(b) / 255.0 : static_cast<double>(b));
  }
  return out;
}

std::vector<std::byte> planar(const std::vector<std::byte>& data, size_t channels, size_t size) {
  std::vector<std::byte> out;
  for (size_t c = 0; c < channels; ++c) {
    for (size_t at = c * size; at < data.size(); at += channels * size) {
      out.insert(out.end(), data.begin() + static_cast<std::ptrdiff_t>(at),
                 data.begin() + static_cast<std::ptrdiff_t>(at + size));
    }
  }
  return out;
}

PixelValues golden_result(const json& golden, const ImageProcessor& processor, ImageScratch& scratch) {
  if (golden.contains("file"))
    return processor.process(read_image(kFiles / golden.at("file").get<std::string>()), functions(), scratch);
  const std::vector<int32_t> shape = golden.at("array");
  const std::string dtype = golden.at("array_dtype");
  const DType type = dtype == "u8" ? DType::u8 : dtype == "f32" ? DType::f32 : DType::f64;
  std::vector<std::byte> data = golden_array(shape, dtype, golden.at("kind") == "unit");
  const bool first = golden.at("first");
  if (first) data = planar(data, static_cast<size_t>(shape[2]), static_cast<size_t>(size_of(type)));
  const ChannelLayout layout = first ? ChannelLayout::channels_first : ChannelLayout::channels_last;
  return processor.process(array_of(data, type, layout, shape[0], shape[1], shape[2]), functions(), scratch);
}

TEST_CASE("image processor: recorded results of the reference", "[image]") {
  std::ifstream file(TUWEN_TEST_DATA "/images/process.jsonl");
  REQUIRE(file.is_open());
  ImageScratch scratch;
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const json golden = json::parse(line);
    INFO(line);
    ImageProcessorOptions options = parsed(golden.at("options").dump());
    if (golden.at("last")) options.data_format = ChannelLayout::channels_last;
    const std::string source = golden.value("file", "");
    if (test::built_with_stb() && (source.starts_with("jpeg") || source.starts_with("webp")))
      continue;  // such builds have other pixels for JPEG, and no WebP
    const PixelValues values = golden_result(golden, ImageProcessor(options), scratch);
    const bool last = options.data_format == ChannelLayout::channels_last;
    const std::vector<int32_t> shape = last ? std::vector{values.height, values.width, values.channels}
                                            : std::vector{values.channels, values.height, values.width};
    CHECK(shape == golden.at("shape").get<std::vector<int32_t>>());
    CHECK(name(values.dtype) == golden.at("dtype").get<std::string>());
    CHECK(tw::sha256(values.data).substr(0, 16) == golden.at("sha").get<std::string>());
  }
  CHECK(cases > 100);
}

TEST_CASE("image processor: the published example", "[image]") {
  const char* folder = std::getenv("TUWEN_PUBLISHED_DATA");
  if (folder == nullptr) {
    WARN("skipped: TUWEN_PUBLISHED_DATA does not name a directory with pokemon.jpeg");
    return;
  }
  ImageScratch scratch;
  const Image image = read_image(std::filesystem::path(folder) / "pokemon.jpeg");
  const PixelValues values = ImageProcessor(published()).process(image, functions(), scratch);
  CHECK(tw::sha256(values.data) == "d4054872e723a65fb8f62dbf6cc4c7a436145957b0a409787079203bac5985f5");
}

TEST_CASE("image processor: bytes and table give the values of the general path", "[image]") {
  test::Random random(40);
  ImageScratch scratch;
  PreparedImage prepared;
  for (int round = 0; round < 60; ++round) {
    ImageProcessorOptions options = published();
    const auto side = [&] { return static_cast<int32_t>(random.integer(1, 60)); };
    options.size = random.chance(0.3) ? ResizeTarget{.shortest_edge = side()} : ResizeTarget{side(), side()};
    options.do_resize = random.chance(0.8);
    options.do_center_crop = random.chance(0.5);
    options.crop_size = {side(), side()};
    options.resample = static_cast<ResizeFilter>(random.integer(0, 5));
    options.do_normalize = random.chance(0.8);
    if (random.chance(0.5)) options.data_format = ChannelLayout::channels_last;
    const ImageProcessor processor(options);
    const Image image = noise_image(side(), side());
    const PixelValues values = processor.process(image, functions(), scratch);
    processor.prepare(image, functions(), scratch, prepared);
    CHECK(prepared.height == values.height);
    CHECK(prepared.width == values.width);
    CHECK(processor.output_extent(image.height, image.width) == ImageExtent{values.height, values.width});
    std::vector<float> floats(prepared.rgb.size());
    processor.write_values(prepared, floats);
    CHECK(floats == values_of<float>(values));
    floats.resize(floats.size() - 1);
    test::expect_error(
        ErrorCode::invalid_argument, [&] { processor.write_values(prepared, floats); }, "pixel values");
  }
}

// The patch matrix straight from bytes, against indexing pixel_values as a convolution does.
TEST_CASE("image processor: patches from bytes", "[image]") {
  ImageScratch scratch;
  PreparedImage prepared;
  const ImageProcessor processor(published());
  const Image image = noise_image(301, 200);
  const std::vector<float> values = values_of<float>(processor.process(image, functions(), scratch));
  processor.prepare(image, functions(), scratch, prepared);
  REQUIRE(allows_patches_from_bytes(processor.options(), 224));
  for (const int64_t patch : {14, 16, 32}) {
    const int64_t grid = 224 / patch, columns = 3 * patch * patch;
    std::vector<float> rows(static_cast<size_t>(grid * grid * columns));
    reference_table().patches_u8({.pixels = prepared.rgb.data(),
                                  .table = processor.table().data(),
                                  .width = 224,
                                  .height = 224,
                                  .channels = 3,
                                  .patch = patch,
                                  .first_row = 0,
                                  .rows = grid * grid,
                                  .y = rows.data(),
                                  .y_stride = columns});
    bool same = true;
    for (int64_t g = 0; g < grid * grid; ++g) {
      for (int64_t i = 0; i < columns; ++i) {
        const int64_t c = i / (patch * patch), y = g / grid * patch + i / patch % patch,
                      x = g % grid * patch + i % patch;
        same =
            same && rows[static_cast<size_t>(g * columns + i)] == values[static_cast<size_t>((c * 224 + y) * 224 + x)];
      }
    }
    CHECK(same);
  }
}

TEST_CASE("image processor: when patches may come from bytes", "[image]") {
  const ImageProcessorOptions base = published();
  CHECK(allows_patches_from_bytes(base, 224));
  CHECK_FALSE(allows_patches_from_bytes(base, 336));
  const auto with = [&](auto change) {
    ImageProcessorOptions options = base;
    change(options);
    return allows_patches_from_bytes(options, 224);
  };
  CHECK_FALSE(with([](auto& o) { o.do_rescale = false; }));
  CHECK_FALSE(with([](auto& o) { o.do_normalize = false; }));
  CHECK_FALSE(with([](auto& o) { o.do_resize = false; }));
  CHECK_FALSE(with([](auto& o) { o.size = {.shortest_edge = 224}; }));
  CHECK_FALSE(with([](auto& o) { o.size.width = 225; }));
  CHECK(with([](auto& o) { o.size = {.shortest_edge = 224}, o.do_center_crop = true; }));
  CHECK(with([](auto& o) { o.do_resize = false, o.do_center_crop = true; }));
  CHECK_FALSE(with([](auto& o) { o.do_center_crop = true, o.crop_size = {224, 200}; }));
}

TEST_CASE("image processor: the shorter edge", "[image]") {
  const auto extent = [](ResizeTarget size, int32_t height, int32_t width) {
    ImageProcessorOptions options;
    options.do_center_crop = false;
    options.size = size;
    return ImageProcessor(options).output_extent(height, width);
  };
  CHECK(extent({.shortest_edge = 224}, 480, 640) == ImageExtent{224, 298});  // 298.67, truncated
  CHECK(extent({.shortest_edge = 224}, 640, 480) == ImageExtent{298, 224});
  CHECK(extent({.shortest_edge = 224}, 100, 100) == ImageExtent{224, 224});
  CHECK(extent({.shortest_edge = 224, .longest_edge = 250}, 480, 640) == ImageExtent{187, 250});
  CHECK(extent({.shortest_edge = 224, .longest_edge = 300}, 480, 640) == ImageExtent{224, 298});
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { extent({.shortest_edge = 2000}, 1, 16384); }, "resized image");
  test::expect_error(
      ErrorCode::limit_exceeded, [&] { extent({.shortest_edge = 2, .longest_edge = 9}, 1, 16384); }, "resized image",
      "x 0");
}

// From 4.46 on the reference rounds the padding up; before, sizes came out one short.
TEST_CASE("image processor: a crop larger than the image has zeros around it", "[image]") {
  for (int32_t size = 1; size <= 6; ++size) {
    for (int32_t crop = 1; crop <= 9; ++crop) {
      ImageProcessorOptions options;
      options.do_resize = options.do_rescale = options.do_normalize = false;
      options.crop_size = {crop, 2};
      options.data_format = ChannelLayout::channels_last;
      std::vector<uint8_t> column;
      for (int32_t i = 1; i <= size; ++i) column.push_back(static_cast<uint8_t>(i));
      ImageScratch scratch;
      const PixelValues values = ImageProcessor(options).process(
          array_of(std::as_bytes(std::span(column)), DType::u8, ChannelLayout::channels_last, size, 1, 1), functions(),
          scratch);
      CHECK(values.height == crop);
      CHECK(values.width == 2);
      const std::vector<uint8_t> out = values_of<uint8_t>(values);
      // Row y of the crop is row y + floor((size - crop) / 2) of the image.
      const int32_t shift = size >= crop ? (size - crop) / 2 : -((crop - size + 1) / 2);
      for (int32_t y = 0; y < crop; ++y) {
        const int32_t row = y + shift;
        CAPTURE(size, crop, y);
        CHECK(int{out[static_cast<size_t>(2 * y)]} == 0);  // padded on the left: ceil(1 / 2)
        CHECK(int{out[static_cast<size_t>(2 * y + 1)]} == (row >= 0 && row < size ? row + 1 : 0));
      }
    }
  }
}

TEST_CASE("image processor: images of another mode without conversion", "[image]") {
  ImageProcessorOptions options = published();
  options.do_convert_rgb = false;
  const ImageProcessor processor(options);
  ImageScratch scratch;
  PreparedImage prepared;
  Image image = noise_image(5, 5);
  processor.process(image, functions(), scratch);
  image.source_mode = ImageMode::palette;
  test::expect_error(
      ErrorCode::unsupported, [&] { processor.process(image, functions(), scratch); }, "do_convert_rgb", "mode P");
  test::expect_error(
      ErrorCode::unsupported, [&] { processor.prepare(image, functions(), scratch, prepared); }, "do_convert_rgb");
}

TEST_CASE("image processor: arrays must be what they say", "[image]") {
  const ImageProcessor processor(published());
  ImageScratch scratch;
  PreparedImage prepared;
  const std::vector<uint8_t> bytes(300);
  const std::span<const std::byte> data = std::as_bytes(std::span(bytes));
  const PixelArray good = array_of(data, DType::u8, ChannelLayout::channels_last, 10, 10, 3);
  processor.process(good, functions(), scratch);
  const auto refuses = [&](auto change, const char* field) {
    PixelArray array = good;
    change(array);
    CAPTURE(field);
    test::expect_error(
        ErrorCode::invalid_argument, [&] { processor.process(array, functions(), scratch); }, field);
    test::expect_error(
        ErrorCode::invalid_argument, [&] { processor.prepare(array, functions(), scratch, prepared); }, "pixels");
  };
  refuses([](PixelArray& a) { a.data = a.data.first(299); }, "at least 300 bytes");
  refuses([](PixelArray& a) { a.height = 11; }, "at least 330 bytes");
  refuses([](PixelArray& a) { a.row_stride = 31; }, "at least 309 bytes");
  refuses([](PixelArray& a) { a.row_stride = 29; }, "row_stride");
  refuses([](PixelArray& a) { a.row_stride = -30; }, "row_stride");
  refuses([](PixelArray& a) { a.row_stride = std::numeric_limits<int64_t>::max(); }, "more bytes than there can be");
  refuses([](PixelArray& a) { a.layout = ChannelLayout::channels_first, a.plane_stride = 99; }, "plane_stride");
  refuses([](PixelArray& a) { a.layout = ChannelLayout::channels_first, a.plane_stride = 101; }, "at least 302 bytes");
  refuses([](PixelArray& a) { a.width = 0; }, "width");
  refuses([](PixelArray& a) { a.height = -1; }, "height");
  refuses([](PixelArray& a) { a.channels = 4; }, "channels");
  refuses([](PixelArray& a) { a.dtype = DType::i64; }, "dtype");
  refuses([](PixelArray& a) { a.dtype = DType::f32; }, "at least 1200 bytes");
  // Three values for one channel.
  test::expect_error(
      ErrorCode::invalid_argument,
      [&] {
        processor.process(array_of(data, DType::u8, ChannelLayout::channels_last, 10, 30, 1), functions(), scratch);
      },
      "image_mean", "1 values");
}

TEST_CASE("image processor: strides and layouts of the same pixels", "[image]") {
  const ImageProcessor processor(published());
  ImageScratch scratch;
  const Image image = noise_image(9, 7);
  const std::vector<float> expected = values_of<float>(processor.process(image, functions(), scratch));
  std::vector<uint8_t> rows(7 * 40, 0xEE), planes(3 * 100, 0xEE);
  for (size_t y = 0; y < 7; ++y) {
    for (size_t x = 0; x < 9; ++x) {
      for (size_t c = 0; c < 3; ++c) {
        const uint8_t value = image.rgb[(y * 9 + x) * 3 + c];
        rows[y * 40 + 3 * x + c] = value;
        planes[c * 100 + y * 13 + x] = value;
      }
    }
  }
  PixelArray last = array_of(std::as_bytes(std::span(rows)), DType::u8, ChannelLayout::channels_last, 7, 9, 3);
  last.row_stride = 40;
  PixelArray first = array_of(std::as_bytes(std::span(planes)), DType::u8, ChannelLayout::channels_first, 7, 9, 3);
  first.row_stride = 13;
  first.plane_stride = 100;
  PreparedImage prepared;
  for (const PixelArray& array : {last, first}) {
    CHECK(values_of<float>(processor.process(array, functions(), scratch)) == expected);
    processor.prepare(array, functions(), scratch, prepared);
    std::vector<float> floats(prepared.rgb.size());
    processor.write_values(prepared, floats);
    CHECK(floats == expected);
  }
}

TEST_CASE("image processor: floating-point pixels that cannot become bytes", "[image]") {
  const ImageProcessor processor(published());
  ImageScratch scratch;
  std::vector<float> pixels(48, 0.25f);
  const auto process = [&] {
    return processor.process(
        array_of(std::as_bytes(std::span(pixels)), DType::f32, ChannelLayout::channels_last, 4, 4, 3), functions(),
        scratch);
  };
  process();
  for (const float bad :
       {1.5f, -0.25f, 256.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    CAPTURE(bad);
    pixels[7] = bad;
    test::expect_error(ErrorCode::invalid_argument, process, "pixels", "[0, 1]");
  }
}

TEST_CASE("image processor: values of [0, 1] become bytes by truncation", "[image]") {
  ImageProcessorOptions options = published();
  options.do_rescale = options.do_normalize = false;
  ImageScratch scratch;
  const std::vector<float> pixels(48, 0.999f);  // 254.745
  const PixelValues values = ImageProcessor(options).process(
      array_of(std::as_bytes(std::span(pixels)), DType::f32, ChannelLayout::channels_last, 4, 4, 3), functions(),
      scratch);
  const std::vector<float> out = values_of<float>(values);
  CHECK(out.size() == 3 * 224 * 224);
  CHECK(out == std::vector<float>(out.size(), static_cast<float>(254.0 / 255.0)));
}

// np.allclose(image, image.astype(int)): within 1e-8 + 1e-5 of the integer part.
TEST_CASE("image processor: floating-point pixels that are nearly whole", "[image]") {
  const ImageProcessor processor(published());
  ImageScratch scratch;
  std::vector<double> pixels(48, 200.0);
  const auto process = [&] {
    return processor.process(
        array_of(std::as_bytes(std::span(pixels)), DType::f64, ChannelLayout::channels_last, 4, 4, 3), functions(),
        scratch);
  };
  pixels[7] = 100.0;
  const std::vector<std::byte> expected = process().data;
  for (const double near : {100.0009, 100.00000001}) {
    pixels[7] = near;
    CHECK(process().data == expected);
  }
  pixels[7] = 9e-9;
  process();
  for (const double off : {100.0011, 1.1e-8, 99.9999, -9e-9, 255.002}) {
    CAPTURE(off);
    pixels[7] = off;
    test::expect_error(ErrorCode::invalid_argument, process, "pixels");
  }
}

TEST_CASE("image processor: the layout of a shape", "[image]") {
  const auto layout = [](std::vector<int64_t> shape) { return infer_channel_layout(shape); };
  CHECK(layout({3, 10, 20}) == ChannelLayout::channels_first);
  CHECK(layout({10, 20, 3}) == ChannelLayout::channels_last);
  CHECK(layout({1, 10, 20}) == ChannelLayout::channels_first);
  CHECK(layout({3, 10, 3}) == ChannelLayout::channels_first);  // the first one counts
  test::expect_error(
      ErrorCode::invalid_argument,
      [&] {
        layout({10, 20, 4});
      },
      "[10, 20, 4]");
  test::expect_error(
      ErrorCode::invalid_argument,
      [&] {
        layout({3, 10});
      },
      "[3, 10]");
}

TEST_CASE("image processor: one processor, several threads", "[image]") {
  const ImageProcessor processor(published());
  std::vector<std::string> results(4);
  std::vector<std::thread> threads;
  for (std::string& result : results) {
    threads.emplace_back([&] {
      ImageScratch scratch;
      for (int32_t size = 20; size < 60; size += 7) {
        result += tw::sha256(processor.process(noise_image(size, 2 * size), functions(), scratch).data);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (const std::string& result : results) CHECK(result == results[0]);
}

}  // namespace
}  // namespace tw
