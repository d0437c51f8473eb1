// Pictures in sessions on the device under test, which resizes them: the same bits as of pictures that the CPU resized.
#include "models/pictures.h"

#include "kernels/select.h"
#include "tests/cuda/picture_cases.h"
#include "tests/cuda/tower_cases.h"
#include "tests/cuda/under_test.h"
#include "tests/support/expect_error.h"

namespace tw::test {
namespace {

// Resized here, and then encoded by the session.
std::vector<float> encode_prepared(Session& session, const ImageProcessorOptions& options,
                                   const std::vector<Image>& pictures) {
  const ImageProcessor processor(options);
  ImageScratch scratch;
  PreparedImage prepared;
  std::vector<uint8_t> bytes;
  for (const Image& picture : pictures) {
    processor.prepare(picture, resize_functions(session.kernels()), scratch, prepared);
    bytes.insert(bytes.end(), prepared.rgb.begin(), prepared.rgb.end());
  }
  std::vector<float> out(pictures.size() * static_cast<size_t>(session.model().embedding_width()));
  session.encode_images({bytes.data(), true, processor.table().data(), std::ssize(pictures)}, out);
  return out;
}

}  // namespace

TEST_CASE("cuda pictures: embeddings have the bits of pictures that the CPU resized, in any slices") {
  const Device under_test = device_under_test();
  const auto model = load(tiny_config());
  Session small(model, {.threads = 3, .max_rows = 1, .device = under_test}), large(model, {.device = under_test}),
      cpu(model, {.threads = 2});
  CHECK(small.images_in_slice() == 4);
  uint64_t seed = 0;  // as they come first, recorded then, and always other pictures
  for (const ImageProcessorOptions& options : ways_to(8, ResizeFilter::bicubic)) {
    CAPTURE(seed, options.do_resize, options.size.shortest_edge);
    const std::vector<Image> pictures = some_pictures(seed++);
    const std::vector<float> expected = encode_prepared(large, options, pictures);
    CHECK(encode(small, options, pictures) == expected);
    CHECK(encode(large, options, pictures) == expected);
    CHECK(largest_difference(encode(cpu, options, pictures), expected) < 1e-5);
  }
}

TEST_CASE("cuda pictures: values where bytes would not do") {
  const Device under_test = device_under_test();
  const auto model = load(tiny_config());
  Session device(model, {.max_rows = 1, .device = under_test}), cpu(model, {});
  ImageProcessorOptions options = ways_to(8, ResizeFilter::bicubic)[0];
  options.do_normalize = false;
  const std::vector<Image> pictures = some_pictures(5);
  CHECK(largest_difference(encode(device, options, pictures), encode(cpu, options, pictures)) < 1e-5);
}

TEST_CASE("cuda pictures: one that cannot be had is named, whatever is under way, and the session goes on") {
  const Device under_test = device_under_test();
  const auto model = load(tiny_config());
  Session session(model, {.max_rows = 1, .device = under_test});
  const ImageProcessorOptions options = ways_to(8, ResizeFilter::bicubic)[0];
  const ImageProcessor processor(options);
  const std::vector<Image> pictures = some_pictures(6);
  const std::vector<float> expected = encode(session, options, pictures);
  std::vector<float> out(expected.size());
  PictureMemory memory;
  for (int64_t bad = 0; bad < std::ssize(pictures); ++bad) {
    PictureSource source = source_of(pictures);
    source.get = [&](int64_t i, Image&) -> const Image& {
      if (i == bad) throw Error(ErrorCode::malformed, {.field = "pixels"});
      return pictures[static_cast<size_t>(i)];
    };
    expect_error(
        ErrorCode::malformed, [&] { encode_pictures(session, processor, source, std::ssize(pictures), memory, out); },
        "picture " + std::to_string(bad), "pixels");
    CHECK(encode(session, options, pictures) == expected);
  }
  ImageProcessorOptions strict = options;
  strict.do_convert_rgb = false;
  std::vector<Image> grey = pictures;
  grey[5].source_mode = ImageMode::grey;
  expect_error(
      ErrorCode::unsupported, [&] { encode(session, strict, grey); }, "picture 5", "do_convert_rgb");
}

}  // namespace tw::test
