// From pixels to what the image encoder takes: ChineseCLIPImageProcessor of transformers 4.37.2, equal to the last bit.
//
// Steps, each of which can be turned off: resize (Pillow's, on bytes), centre crop, rescale (double product, then f32),
// normalise ((x - mean) / std with two f32 roundings). Deliberate differences:
// - size {shortest_edge} works; the reference raises KeyError for it, its own default included.
// - a centre crop larger than the image has exactly the crop size; the reference loses a row or column at odd
// differences.
// - an integer rescale_factor is an ordinary factor; the reference wraps products of bytes modulo 256.
// Source: image_processing_chinese_clip.py, image_transforms.py, image_processing_utils.py.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "io/image_decode.h"
#include "kernels/resize.h"

namespace tw {

enum class ChannelLayout { channels_first, channels_last };

// Height and width, or the length of the shorter edge (the other keeps the aspect ratio, and may be bounded); 0: not
// given.
struct ResizeTarget {
  int32_t height = 0, width = 0;
  int32_t shortest_edge = 0, longest_edge = 0;
};

struct ImageExtent {
  int32_t height = 0, width = 0;
  bool operator==(const ImageExtent&) const = default;
};

// The part of an image that a centre crop keeps, and where it comes to lie in the zeros around it.
struct CropWindow {
  int32_t source_y, source_x, y, x;
  ImageExtent extent;
};

// An image through resize and crop; what is off changes nothing.
struct ImagePlan {
  ImageExtent source, resized, result;
  CropWindow window = {};  // of `resized` in `result`
};

// Defaults are the class's own. Published checkpoints set size to {224, 224} and do_center_crop to false.
struct ImageProcessorOptions {
  bool do_resize = true;
  ResizeTarget size = {.shortest_edge = 224};
  ResizeFilter resample = ResizeFilter::bicubic;
  ResizeOrder resize_order = ResizeOrder::pillow_13;  // not in configuration files
  bool do_center_crop = true;
  ImageExtent crop_size = {224, 224};
  bool do_rescale = true;
  double rescale_factor = 1.0 / 255.0;
  bool do_normalize = true;
  // One value per channel, or a single one for any number of channels.
  std::vector<double> image_mean = {0.48145466, 0.4578275, 0.40821073};
  std::vector<double> image_std = {0.26862954, 0.26130258, 0.27577711};
  bool do_convert_rgb = true;  // false: decoded images of other modes than RGB are refused
  ChannelLayout data_format = ChannelLayout::channels_first;
};

// Parses the text of a preprocessor_config.json; `file` stands for it in messages. Missing keys take the defaults,
// unknown ones are ignored. size: {height, width}, {shortest_edge}, {shortest_edge, longest_edge}, n (= shortest_edge)
// or [h, w]; crop_size: {height, width}, n or [h, w]. Types ChineseCLIPImageProcessor, ...Fast and
// ChineseCLIPFeatureExtractor mean the same. Throws malformed, unsupported or limit_exceeded, naming the key.
ImageProcessorOptions parse_image_processor_config(std::string_view json, const std::string& file);
// Reads `directory`/preprocessor_config.json (or the file itself, when given one).
ImageProcessorOptions read_image_processor_config(const std::filesystem::path& directory_or_file);

// Pixels of the caller: [height, width, channels] or [channels, height, width] of u8, f32 or f64, 1 or 3 channels.
struct PixelArray {
  std::span<const std::byte> data;
  DType dtype = DType::u8;
  ChannelLayout layout = ChannelLayout::channels_last;
  int32_t height = 0, width = 0, channels = 0;
  int64_t row_stride = 0;    // bytes from row to row; 0: rows without gaps
  int64_t plane_stride = 0;  // channels_first: bytes from channel to channel; 0: without gaps
};

// The layout that the reference infers from a shape of three dimensions: channels first if the first is 1 or 3, else
// last if the last is 1 or 3. Throws invalid_argument for others.
ChannelLayout infer_channel_layout(std::span<const int64_t> shape);

// An RGB image of bytes after resizing and cropping.
struct PreparedImage {
  int32_t height = 0, width = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

// The result in general: what the reference calls pixel_values of one image.
struct PixelValues {
  DType dtype = DType::f32;  // u8 or f64 when the steps that make f32 are off
  ChannelLayout layout = ChannelLayout::channels_first;
  int32_t height = 0, width = 0, channels = 0;
  std::vector<std::byte> data;
};

// Memory that processing one image after another uses again; owned by the caller, used by one thread at a time.
struct ImageScratch {
  Resizer resizer;
  std::vector<uint8_t> resized;
};

// value[c * 256 + byte]: what rescaling and normalising make of a byte of channel c. With both steps off, the byte.
std::array<float, 768> normalisation_table(const ImageProcessorOptions& options);

// Every RGB image becomes image_size x image_size f32 values that are a function of channel and byte, so that patches
// can be taken from bytes and normalisation_table() (kernels/kernel_table.h, patches_u8) without a float image in
// between.
bool allows_patches_from_bytes(const ImageProcessorOptions& options, int32_t image_size);

// Immutable; any number of threads may use one at once, each with its own scratch.
class ImageProcessor {
 public:
  // Throws invalid_argument naming the option.
  explicit ImageProcessor(ImageProcessorOptions options);
  // With the options of `directory`/preprocessor_config.json.
  static ImageProcessor from_directory(const std::filesystem::path& directory);

  const ImageProcessorOptions& options() const { return options_; }
  const std::array<float, 768>& table() const { return table_; }

  // The size of the result for an image of this size. Throws limit_exceeded if it has a side above kMaxResizeSide or
  // more than 64 Mi pixels.
  ImageExtent output_extent(int32_t height, int32_t width) const;

  // What prepare() does to an image, for who does it elsewhere. Throws as that.
  ImagePlan plan(const Image& image) const;

  // Resize and crop of an RGB image of bytes. Throws unsupported for a mode that do_convert_rgb = false refuses, and as
  // output_extent(). `out` keeps its memory from call to call.
  void prepare(const Image& image, const ResizeFunctions& resize, ImageScratch& scratch, PreparedImage& out) const;
  // The same for the caller's own bytes, three channels.
  void prepare(const PixelArray& pixels, const ResizeFunctions& resize, ImageScratch& scratch,
               PreparedImage& out) const;
  // Rescales and normalises, in the layout of the options: [3, height, width] or [height, width, 3].
  void write_values(const PreparedImage& image, std::span<float> out) const;

  // All steps, any input. Floating-point pixels that are to be resized must be whole numbers of [0, 255] or lie in [0,
  // 1]; those in [0, 1] are resized as bytes and scaled back.
  PixelValues process(const PixelArray& pixels, const ResizeFunctions& resize, ImageScratch& scratch) const;
  PixelValues process(const Image& image, const ResizeFunctions& resize, ImageScratch& scratch) const;

 private:
  ImageProcessorOptions options_;
  std::array<float, 768> table_;
};

}  // namespace tw
