// Pictures of many sizes, and what becomes of them.
#pragma once

#include <vector>

#include "models/pictures.h"
#include "tests/support/random.h"

namespace tw::test {

inline Image random_picture(Random& random, int32_t width, int32_t height) {
  Image image{width, height, {}};
  const bool saturated = random.chance(0.3);  // 0 and 255 only: the largest sums
  for (int64_t i = 0; i < int64_t{3} * width * height; ++i)
    image.rgb.push_back(static_cast<uint8_t>(saturated ? 255 * random.integer(0, 1) : random.integer(0, 255)));
  return image;
}

// Every way to `side` pixels: both sides scaled, the shorter one and a crop, a crop of what is larger or smaller alone.
inline std::vector<ImageProcessorOptions> ways_to(int32_t side, ResizeFilter filter) {
  ImageProcessorOptions scaled;
  scaled.resample = filter;
  scaled.size = {.height = side, .width = side};
  scaled.do_center_crop = false;
  ImageProcessorOptions shorter = scaled;
  shorter.size = {.shortest_edge = side + 2};
  shorter.do_center_crop = true;
  shorter.crop_size = {side, side};
  ImageProcessorOptions padded = shorter;
  padded.size = {.shortest_edge = side - 3};
  ImageProcessorOptions cropped = shorter;
  cropped.do_resize = false;
  ImageProcessorOptions before_13 = scaled;
  before_13.resize_order = ResizeOrder::horizontal_first;
  return {scaled, shorter, padded, cropped, before_13};
}

inline std::vector<Image> some_pictures(uint64_t seed) {
  Random random(seed);
  std::vector<Image> pictures;
  for (const auto& [width, height] :
       {std::pair{8, 8}, {13, 9}, {40, 40}, {5, 21}, {3, 3}, {8, 9}, {11, 8}, {300, 200}, {1, 1}, {20, 6}, {7, 17}})
    pictures.push_back(random_picture(random, width, height));
  return pictures;
}

inline PictureSource source_of(const std::vector<Image>& pictures) {
  return {.get = [&](int64_t i, Image&) -> const Image& { return pictures[static_cast<size_t>(i)]; },
          .name = [](int64_t i) { return "picture " + std::to_string(i); }};
}

inline std::vector<float> encode(Session& session, const ImageProcessorOptions& options,
                                 const std::vector<Image>& pictures) {
  std::vector<float> out(pictures.size() * static_cast<size_t>(session.model().embedding_width()));
  PictureMemory memory;
  encode_pictures(session, ImageProcessor(options), source_of(pictures), std::ssize(pictures), memory, out);
  return out;
}

}  // namespace tw::test
