// PNG through libpng. Samples of 16 bits keep their high byte, except plain grey, which keeps both; tRNS, gamma and
// profiles are not applied: what Pillow does.
#ifndef TUWEN_DECODE_WITH_STB
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "io/image_source.h"
#include "io/png_chunks.h"

namespace tw {
namespace {

// As in image_jpeg.cpp: errors jump back into guarded(), over C frames and a lambda without destructors.
struct PngDecoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf jump;
  char message[160] = {};
  std::span<const uint8_t> left;
  int64_t rows_left = 0;  // that hold pixels, over all passes
  bool finished = false;

  PngDecoder() = default;
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;
  ~PngDecoder() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto& decoder = *static_cast<PngDecoder*>(png_get_error_ptr(png));
  std::strncpy(decoder.message, message, sizeof(decoder.message) - 1);
  std::longjmp(decoder.jump, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep out, size_t count) {
  auto& decoder = *static_cast<PngDecoder*>(png_get_io_ptr(png));
  if (decoder.rows_left == 0) {
    // After the last row libpng would inflate whatever else the stream holds, gigabytes if it likes.
    decoder.finished = true;
    std::longjmp(decoder.jump, 1);
  }
  if (count > decoder.left.size()) png_error(png, "the file ends inside a chunk");
  std::copy_n(decoder.left.begin(), count, out);
  decoder.left = decoder.left.subspan(count);
}

void on_row(png_structp png, png_row_infop, png_bytep) {
  --static_cast<PngDecoder*>(png_get_user_transform_ptr(png))->rows_left;
}

// Of each pass of an interlaced image: where its grid begins and how far its rows are apart (PNG specification, 8.2).
struct Pass {
  int x, y, step_y;
};
constexpr Pass kAdam7[] = {{0, 0, 8}, {4, 0, 8}, {0, 4, 8}, {2, 0, 4}, {0, 2, 4}, {1, 0, 2}, {0, 1, 2}};

int64_t rows_with_pixels(const PngHeader& header) {
  if (!header.interlaced) return header.height;
  int64_t rows = 0;
  for (const Pass& pass : kAdam7) {
    if (header.width > pass.x && header.height > pass.y) rows += (header.height - pass.y - 1) / pass.step_y + 1;
  }
  return rows;
}

template <class Body>
void guarded(PngDecoder& decoder, const ImageSource& source, Body body) {
  if (setjmp(decoder.jump) == 0) {
    body();
    return;
  }
  if (decoder.finished) return;
  const bool memory = std::strcmp(decoder.message, "Out of memory") == 0;
  source.fail(memory ? ErrorCode::out_of_memory : ErrorCode::malformed, "image data", "", "",
              printable(decoder.message));
}

void set_transformations(png_structp png, const PngHeader& header) {
  if (header.colour == PngColour::grey && header.depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (header.colour == PngColour::palette) png_set_packing(png);  // one index per byte
  if (header.depth == 16) {
    if (header.colour == PngColour::grey) {
      png_set_swap(png);  // to little-endian
    } else {
      png_set_strip_16(png);
      if (header.colour == PngColour::grey_alpha) png_set_gray_to_rgb(png);
    }
  }
  png_set_interlace_handling(png);
}

}  // namespace

RawImage decode_png(const ImageSource& source) {
  const PngHeader header = check_png(source);
  RawImage image = make_raw_image(header.width, header.height, mode_of(header));
  const size_t row_bytes = static_cast<size_t>(header.width) * static_cast<size_t>(bytes_per_pixel(image.mode));
  std::vector<png_bytep> rows(static_cast<size_t>(header.height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = image.pixels.data() + y * row_bytes;
  if (image.mode == ImageMode::palette) image.palette.resize(3 * 256);

  PngDecoder decoder;
  decoder.left = source.bytes;
  decoder.rows_left = rows_with_pixels(header);
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error, on_warning);
  decoder.info = decoder.png == nullptr ? nullptr : png_create_info_struct(decoder.png);
  if (decoder.info == nullptr) source.fail(ErrorCode::out_of_memory, "image data", "", "");
  png_bytep* const row_pointers = rows.data();
  uint8_t* const palette = image.palette.data();
  guarded(decoder, source, [&] {
    png_structp png = decoder.png;
    png_infop info = decoder.info;
    png_set_read_fn(png, &decoder, read_bytes);
    png_set_user_limits(png, static_cast<png_uint_32>(header.width), static_cast<png_uint_32>(header.height));
    png_set_chunk_malloc_max(png, 8 << 20);
    png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);          // check_png() has compared them
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // text, profiles: not even parsed
    png_read_info(png, info);
    set_transformations(png, header);
    png_set_user_transform_info(png, &decoder, 0, 0);
    png_set_read_user_transform_fn(png, on_row);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != row_bytes) png_error(png, "rows are not as long as the header says");
    if (palette != nullptr) {
      png_colorp colours = nullptr;
      int count = 0;
      if (png_get_PLTE(png, info, &colours, &count) == 0) png_error(png, "no palette");
      for (int i = 0; i < count && i < 256; ++i) {
        palette[3 * i] = colours[i].red;
        palette[3 * i + 1] = colours[i].green;
        palette[3 * i + 2] = colours[i].blue;
      }
    }
    png_read_image(png, row_pointers);
  });
  return image;
}

}  // namespace tw
#endif
