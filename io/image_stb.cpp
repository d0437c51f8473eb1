// JPEG and PNG through stb_image, for builds without libjpeg-turbo, libpng and libwebp.
//
// PNG pixels equal those of the default build. JPEG pixels differ by small amounts (another inverse DCT, other chroma
// upsampling), in files with four components also by their conversion.
#ifdef TUWEN_DECODE_WITH_STB
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/image_source.h"
#include "io/jpeg_markers.h"
#include "io/png_chunks.h"

namespace tw {
namespace {

// stb_image inflates PNG data without a bound and hands its allocator no context, so the bound is kept per thread.
thread_local size_t stb_budget = 0;

struct alignas(std::max_align_t) BlockHeader {
  size_t bytes;
};

void* budgeted_malloc(size_t bytes) {
  if (bytes > stb_budget) return nullptr;
  auto* header = static_cast<BlockHeader*>(std::malloc(sizeof(BlockHeader) + bytes));
  if (header == nullptr) return nullptr;
  header->bytes = bytes;
  stb_budget -= bytes;
  return header + 1;
}

void budgeted_free(void* block) {
  if (block == nullptr) return;
  BlockHeader* header = static_cast<BlockHeader*>(block) - 1;
  stb_budget += header->bytes;
  std::free(header);
}

void* budgeted_realloc(void* block, size_t bytes) {
  if (block == nullptr) return budgeted_malloc(bytes);
  BlockHeader* header = static_cast<BlockHeader*>(block) - 1;
  const size_t before = header->bytes;
  if (bytes > before && bytes - before > stb_budget) return nullptr;
  auto* grown = static_cast<BlockHeader*>(std::realloc(header, sizeof(BlockHeader) + bytes));
  if (grown == nullptr) return nullptr;
  stb_budget = stb_budget + before - bytes;
  grown->bytes = bytes;
  return grown + 1;
}

}  // namespace
}  // namespace tw

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_FAILURE_STRINGS
#define STBI_ASSERT(condition) static_cast<void>(0)
#define STBI_MALLOC(bytes) tw::budgeted_malloc(bytes)
#define STBI_REALLOC(block, bytes) tw::budgeted_realloc(block, bytes)
#define STBI_FREE(block) tw::budgeted_free(block)
#include <stb/stb_image.h>

namespace tw {
namespace {

// Inflated rows, the result, its conversion, and the coefficients of progressive JPEG.
size_t budget_for(const ImageSource& source, int64_t width, int64_t height) {
  return 2 * source.bytes.size() + 24 * static_cast<size_t>(width * height) + (size_t{1} << 20);
}

template <class Sample>
struct FreeSamples {
  void operator()(Sample* samples) const { stbi_image_free(samples); }
};

// Calls load(bytes, count, &width, &height, &channels_in_file) and copies its samples into the image.
template <class Sample, class Load>
void load_into(RawImage& image, const ImageSource& source, Load load) {
  stb_budget = budget_for(source, image.width, image.height);
  int width = 0, height = 0, in_file = 0;
  const std::unique_ptr<Sample, FreeSamples<Sample>> samples(
      load(source.bytes.data(), static_cast<int>(source.bytes.size()), &width, &height, &in_file));
  if (samples == nullptr) source.fail(ErrorCode::malformed, "image data", "", "");
  if (width != image.width || height != image.height) {
    source.fail(ErrorCode::malformed, "size", "that of the first header", "another");
  }
  std::memcpy(image.pixels.data(), samples.get(), image.pixels.size());
}

// The same file with a palette of 256 entries, black where it had none, and without tRNS, which is dropped anyway.
// stb_image looks indices up in uninitialised memory where the palette is short, and refuses a tRNS that is longer than
// the palette. check_png() has seen that every chunk is whole; stb_image looks at no checksum.
std::vector<uint8_t> with_full_palette(std::span<const uint8_t> png) {
  constexpr size_t kSignature = 8, kFrame = 12, kPalette = 768;  // bytes; a chunk's length, type and checksum
  std::vector<uint8_t> out(png.begin(), png.begin() + kSignature);
  out.reserve(png.size() + kPalette);
  for (size_t at = kSignature; at + kFrame <= png.size();) {
    const std::span<const uint8_t> chunk = png.subspan(at);
    const size_t bytes = static_cast<size_t>(chunk[0]) << 24 | static_cast<size_t>(chunk[1]) << 16 |
                         static_cast<size_t>(chunk[2]) << 8 | chunk[3];
    if (bytes + kFrame > chunk.size()) break;
    const std::string_view type(reinterpret_cast<const char*>(&chunk[4]), 4);
    at += bytes + kFrame;
    if (type == "tRNS") continue;
    if (type != "PLTE" || bytes > kPalette) {
      out.insert(out.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(bytes + kFrame));
      continue;
    }
    constexpr uint8_t kHead[] = {0, 0, kPalette >> 8, kPalette & 0xFF, 'P', 'L', 'T', 'E'};
    out.insert(out.end(), kHead, kHead + sizeof kHead);
    out.insert(out.end(), &chunk[8], &chunk[8] + bytes);
    out.insert(out.end(), kPalette - bytes + 4, uint8_t{0});  // with the checksum
  }
  return out;
}

template <int channels>
void load_bytes(RawImage& image, const ImageSource& source) {
  load_into<uint8_t>(image, source, [](const uint8_t* bytes, int count, int* w, int* h, int* n) {
    return stbi_load_from_memory(bytes, count, w, h, n, channels);
  });
}

}  // namespace

RawImage decode_jpeg(const ImageSource& source) {
  const JpegHeader header = check_jpeg(source);
  RawImage image =
      make_raw_image(header.width, header.height, header.components == 1 ? ImageMode::grey : ImageMode::rgb);
  if (header.components == 1) {
    load_bytes<1>(image, source);
  } else {
    load_bytes<3>(image, source);
  }
  return image;
}

RawImage decode_png(const ImageSource& source) {
  const PngHeader header = check_png(source);
  const ImageMode mode = mode_of(header);
  if (mode == ImageMode::grey16) {
    RawImage image = make_raw_image(header.width, header.height, mode);
    load_into<uint16_t>(image, source, [](const uint8_t* bytes, int count, int* w, int* h, int* n) {
      return stbi_load_16_from_memory(bytes, count, w, h, n, 1);
    });
    return image;
  }
  if (mode == ImageMode::bilevel || mode == ImageMode::grey) {
    RawImage image = make_raw_image(header.width, header.height, mode);
    load_bytes<1>(image, source);
    return image;
  }
  if (mode == ImageMode::palette) {
    RawImage image = make_raw_image(header.width, header.height, ImageMode::rgb);
    const std::vector<uint8_t> file = with_full_palette(source.bytes);
    load_bytes<3>(image, {file, source.label, source.limits});
    return image;
  }
  // Alpha and 16 bits are resolved by stb_image; the colours under alpha stay as they are.
  RawImage image = make_raw_image(header.width, header.height, ImageMode::rgb);
  load_bytes<3>(image, source);
  return image;
}

}  // namespace tw
#endif
