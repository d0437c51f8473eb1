// Resize and crop of pictures on a device, as they are staged for it: bytes equal to the CPU's.
#include <catch2/catch.hpp>

#include "kernels/resize.h"
#include "models/staged_pictures.h"
#include "tests/cuda/kernels_under_test.h"
#include "tests/cuda/picture_cases.h"
#include "tests/cuda/under_test.h"

namespace tw::test {
namespace {

constexpr int32_t kSide = 17;
constexpr ResizeFunctions kPlain = {resize_horizontal_u8_reference, resize_vertical_u8_reference};

struct Memory {
  explicit Memory(int64_t pictures)
      : staged(StagedPictures::staging_bytes(pictures, kSide), "staging"),
        between(StagedPictures::between_bytes(pictures, kSide), "between"),
        inputs(staged.data(), staged.size(), true) {}

  Buffer staged, between;
  SliceInputs inputs;
};

std::vector<Image> pictures_of_many_sizes() {
  Random random(3);
  std::vector<Image> pictures;
  for (const auto& [width, height] : {std::pair{1, 1},
                                      {17, 17},
                                      {17, 40},
                                      {40, 17},
                                      {9, 5},
                                      {31, 8},
                                      {7, 34},
                                      {38, 36},
                                      {33, 16},
                                      {16, 33},
                                      {64, 9},
                                      {9, 64},
                                      {20, 21},
                                      {1, 50},
                                      {50, 2}})
    pictures.push_back(random_picture(random, width, height));
  return pictures;
}

}  // namespace

TEST_CASE("cuda resize: pictures of any size, through every filter, are what the CPU makes of them") {
  const std::vector<Image> pictures = pictures_of_many_sizes();
  int compared = 0, vertical_first = 0;
  for (int filter = 0; filter <= 5; ++filter) {
    for (const ImageProcessorOptions& options : ways_to(kSide, static_cast<ResizeFilter>(filter))) {
      const ImageProcessor processor(options);
      std::vector<std::vector<uint8_t>> expected;
      std::vector<const Image*> those;
      ImageScratch scratch;
      ResizePasses passes;
      Memory all(std::ssize(pictures));
      // Those that fit, which is for the next test.
      StagedPictures trial(all.inputs, std::ssize(pictures), kSide);
      for (const Image& image : pictures) {
        if (!trial.put(0, options, processor.plan(image), image.rgb.data(), passes)) continue;
        PreparedImage prepared;
        processor.prepare(image, kPlain, scratch, prepared);
        those.push_back(&image), expected.push_back(prepared.rgb);
      }
      Memory memory(std::ssize(those));
      StagedPictures staged(memory.inputs, std::ssize(those), kSide);
      for (size_t i = 0; i < those.size(); ++i) {
        const ImagePlan plan = processor.plan(*those[i]);
        REQUIRE(staged.put(static_cast<int64_t>(i), options, plan, those[i]->rgb.data(), passes));
        vertical_first += passes.vertical_first();
      }
      constexpr size_t kEach = size_t{3} * kSide * kSide;
      std::vector<uint8_t> result(those.size() * kEach, 99);
      const ResizeBatchArgs batch = staged.finish(memory.between.as<uint8_t>(), result.data());
      resize(batch, memory.inputs.used(), memory.between.size());
      for (size_t i = 0; i < those.size(); ++i) {
        CAPTURE(filter, i, those[i]->width, those[i]->height, options.do_resize, options.size.shortest_edge);
        const auto* mine = result.data() + i * kEach;
        CHECK(std::vector<uint8_t>(mine, mine + kEach) == expected[i]);
        ++compared;
      }
    }
  }
  CHECK(compared > 400);
  CHECK(vertical_first > 30);
}

TEST_CASE("cuda resize: a picture beyond its share is left to the CPU, and takes nothing; prepared ones always fit") {
  Random random(4);
  ImageProcessorOptions options = ways_to(kSide, ResizeFilter::bicubic)[0];
  const ImageProcessor processor(options);
  ResizePasses passes;
  const auto fits = [&](int32_t width, int32_t height) {
    Memory memory(1);
    StagedPictures staged(memory.inputs, 1, kSide);
    const Image image = random_picture(random, width, height);
    const bool put = staged.put(0, options, processor.plan(image), image.rgb.data(), passes);
    const int64_t before = memory.inputs.used();
    staged.finish(nullptr, nullptr);
    CHECK((memory.inputs.used() > before) == put);
    return put;
  };
  CHECK(fits(40, 40));
  CHECK_FALSE(fits(52, 52));
  CHECK_FALSE(fits(3000, 1));  // few pixels and many weights
  options.resample = ResizeFilter::box;
  CHECK(fits(1, 980));
  options.resize_order = ResizeOrder::horizontal_first;  // few, and many between the passes
  CHECK_FALSE(fits(1, 980));
  for (const int32_t side : {1, 2, 7, 16, 224}) {
    CAPTURE(side);
    const Image image = random_picture(random, side, side);
    const ImageExtent whole = {side, side};
    Buffer memory(StagedPictures::staging_bytes(2, side), "staging");
    SliceInputs inputs(memory.data(), memory.size(), true);
    StagedPictures staged(inputs, 2, side);
    for (int64_t i = 0; i < 2; ++i)
      CHECK(staged.put(i, options, {whole, whole, whole, {0, 0, 0, 0, whole}}, image.rgb.data(), passes));
    staged.finish(nullptr, nullptr);
  }
}

}  // namespace tw::test
