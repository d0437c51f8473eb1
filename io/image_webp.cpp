// WebP through libwebp's animation decoder, which Pillow uses for still pictures too: the first frame on a canvas of
// transparent black.
#include <string>

#include "io/image_source.h"

#ifdef TUWEN_DECODE_WITH_STB

namespace tw {

RawImage decode_webp(const ImageSource& source) {
  source.fail(ErrorCode::unsupported, "format", "JPEG, PNG or BMP", "WebP",
              "this build decodes with stb_image, which does not read WebP");
}

}  // namespace tw

#else

#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>

namespace tw {
namespace {

struct DeleteDecoder {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

// The RIFF header holds the size of the rest (Container specification, "WebP File Header").
void check_riff_size(const ImageSource& source) {
  const std::span<const uint8_t> b = source.bytes;
  const size_t rest = static_cast<size_t>(b[4]) | static_cast<size_t>(b[5]) << 8 | static_cast<size_t>(b[6]) << 16 |
                      static_cast<size_t>(b[7]) << 24;
  if (b.size() - 8 < rest) {
    source.fail(ErrorCode::truncated, "RIFF chunk", std::to_string(rest + 8) + " bytes", std::to_string(b.size()));
  }
}

}  // namespace

RawImage decode_webp(const ImageSource& source) {
  check_riff_size(source);
  const WebPData data = {source.bytes.data(), source.bytes.size()};
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(data.bytes, data.size, &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) source.fail_truncated("WebP header");
  if (status != VP8_STATUS_OK) source.fail(ErrorCode::malformed, "WebP header", "", "");
  source.check_size(features.width, features.height);

  WebPAnimDecoderOptions options;
  if (WebPAnimDecoderOptionsInit(&options) == 0)
    source.fail(ErrorCode::internal, "WebP library", "ABI of its headers", "another");
  options.color_mode = MODE_RGBA;
  const std::unique_ptr<WebPAnimDecoder, DeleteDecoder> decoder(WebPAnimDecoderNew(&data, &options));
  if (decoder == nullptr) source.fail(ErrorCode::malformed, "WebP chunks", "", "");
  WebPAnimInfo info;
  uint8_t* canvas = nullptr;
  int timestamp = 0;
  if (WebPAnimDecoderGetInfo(decoder.get(), &info) == 0 ||
      WebPAnimDecoderGetNext(decoder.get(), &canvas, &timestamp) == 0) {
    source.fail(ErrorCode::malformed, "image data", "", "");
  }
  source.check_size(info.canvas_width, info.canvas_height);

  RawImage image =
      make_raw_image(info.canvas_width, info.canvas_height, features.has_alpha != 0 ? ImageMode::rgba : ImageMode::rgb);
  const size_t count = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  const auto step = static_cast<size_t>(bytes_per_pixel(image.mode));
  for (size_t i = 0; i < count; ++i) std::copy_n(canvas + 4 * i, step, image.pixels.data() + step * i);
  return image;
}

}  // namespace tw
#endif
