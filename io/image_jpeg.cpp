// JPEG through libjpeg-turbo with its default settings (accurate integer DCT, smooth chroma upsampling), which are
// Pillow's.
#ifndef TUWEN_DECODE_WITH_STB
#include <algorithm>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <string>

#include <jpeglib.h>

#include <jerror.h>

#include "io/image_source.h"
#include "io/jpeg_markers.h"

namespace tw {
namespace {

// libjpeg reports errors by a callback that must not return. It jumps back into guarded(), over C frames and a lambda
// without destructors; only there is the C++ exception thrown.
struct JpegDecoder {
  jpeg_decompress_struct info = {};
  jpeg_error_mgr errors = {};
  jpeg_source_mgr reader = {};
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = {};
  bool ran_out = false;  // of input

  JpegDecoder() = default;
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;
  ~JpegDecoder() { jpeg_destroy_decompress(&info); }  // also right for one that was never created
};

JpegDecoder& decoder_of(j_common_ptr info) { return *static_cast<JpegDecoder*>(info->client_data); }

[[noreturn]] void on_error(j_common_ptr info) {
  JpegDecoder& decoder = decoder_of(info);
  info->err->format_message(info, decoder.message);
  std::longjmp(decoder.jump, 1);
}

// Warnings do not stop Pillow either: damaged data decodes to damaged pixels.
void on_warning(j_common_ptr, int) {}
void ignore_message(j_common_ptr) {}
void no_action(j_decompress_ptr) {}

boolean on_end_of_input(j_decompress_ptr info) {
  decoder_of(reinterpret_cast<j_common_ptr>(info)).ran_out = true;
  ERREXIT(info, JERR_INPUT_EOF);
  return FALSE;
}

void skip_input(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  jpeg_source_mgr& reader = *info->src;
  if (static_cast<size_t>(count) > reader.bytes_in_buffer) on_end_of_input(info);
  reader.next_input_byte += count;
  reader.bytes_in_buffer -= static_cast<size_t>(count);
}

template <class Body>
void guarded(JpegDecoder& decoder, const ImageSource& source, Body body) {
  if (setjmp(decoder.jump) == 0) {
    body();
    return;
  }
  if (decoder.ran_out) source.fail_truncated("image data");
  const int code = decoder.errors.msg_code;
  if (code == JERR_NO_BACKING_STORE) {
    source.fail(ErrorCode::limit_exceeded, "decoding memory",
                "at most " + std::to_string(decoder.info.mem->max_memory_to_use) + " bytes", "more");
  }
  if (code == JERR_OUT_OF_MEMORY) source.fail(ErrorCode::out_of_memory, "image data", "", "");
  const bool exotic = code == JERR_ARITH_NOTIMPL || code == JERR_NOT_COMPILED || code == JERR_CONVERSION_NOTIMPL ||
                      code == JERR_FRACT_SAMPLE_NOTIMPL || code == JERR_CCIR601_NOTIMPL;
  source.fail(exotic ? ErrorCode::unsupported : ErrorCode::malformed, "image data", "", "", decoder.message);
}

// Coefficients of a progressive file take 6 to 8 bytes a pixel, the rest is rows.
long memory_limit(const JpegHeader& header) {
  constexpr int64_t kMost = int64_t{1} << 30;
  return static_cast<long>(std::min(kMost, header.width * header.height * 24 + (int64_t{4} << 20)));
}

void read_pixels(JpegDecoder& decoder, const ImageSource& source, const JpegHeader& header, uint8_t* pixels) {
  jpeg_decompress_struct& info = decoder.info;
  const J_COLOR_SPACE wanted = header.components == 1 ? JCS_GRAYSCALE : header.components == 3 ? JCS_RGB : JCS_CMYK;
  const auto row_bytes = static_cast<size_t>(header.width) * static_cast<size_t>(header.components);
  guarded(decoder, source, [&] {
    jpeg_create_decompress(&info);
    info.mem->max_memory_to_use = memory_limit(header);
    info.src = &decoder.reader;
    jpeg_read_header(&info, TRUE);
    info.out_color_space = wanted;
    jpeg_start_decompress(&info);
    // The size that was checked and allocated is the one to fill.
    if (info.output_width != header.width || info.output_height != header.height ||
        info.output_components != header.components) {
      ERREXIT(&info, JERR_BAD_LENGTH);
    }
    while (info.output_scanline < info.output_height) {
      constexpr unsigned kRows = 16;
      JSAMPROW rows[kRows];
      const unsigned left = info.output_height - info.output_scanline;
      const unsigned count = left < kRows ? left : kRows;
      for (unsigned r = 0; r < count; ++r) rows[r] = pixels + (info.output_scanline + r) * row_bytes;
      jpeg_read_scanlines(&info, rows, count);
    }
    jpeg_finish_decompress(&info);
  });
}

}  // namespace

RawImage decode_jpeg(const ImageSource& source) {
  const JpegHeader header = check_jpeg(source);
  JpegDecoder decoder;
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.info.client_data = &decoder;
  decoder.errors.error_exit = on_error;
  decoder.errors.emit_message = on_warning;
  decoder.errors.output_message = ignore_message;
  decoder.reader.init_source = no_action;
  decoder.reader.fill_input_buffer = on_end_of_input;
  decoder.reader.skip_input_data = skip_input;
  decoder.reader.resync_to_restart = jpeg_resync_to_restart;
  decoder.reader.term_source = no_action;
  decoder.reader.next_input_byte = source.bytes.data();
  decoder.reader.bytes_in_buffer = source.bytes.size();

  const ImageMode mode = header.components == 1   ? ImageMode::grey
                         : header.components == 3 ? ImageMode::rgb
                                                  : ImageMode::cmyk;
  RawImage image = make_raw_image(header.width, header.height, mode);
  read_pixels(decoder, source, header, image.pixels.data());
  // Files with four components come from Adobe programs, which store them inverted; Pillow assumes so too.
  if (mode == ImageMode::cmyk) {
    for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(255 - value);
  }
  return image;
}

}  // namespace tw
#endif
