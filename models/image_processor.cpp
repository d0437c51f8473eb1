#include "models/image_processor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "core/error.h"
#include "models/pixel_steps.h"

namespace tw {
namespace {

constexpr int64_t kMaxResultPixels = int64_t{64} << 20;

[[noreturn]] void refuse(ErrorCode code, std::string field, std::string expected, std::string found) {
  throw Error(code, {.field = std::move(field), .expected = std::move(expected), .found = std::move(found)});
}

void check_side(const char* field, int32_t side) {
  if (side >= 1 && side <= kMaxResizeSide) return;
  refuse(ErrorCode::invalid_argument, field, "1 to " + std::to_string(kMaxResizeSide), std::to_string(side));
}

void check_channel_values(const char* field, const std::vector<double>& values) {
  if (values.size() != 1 && values.size() != 3) {
    refuse(ErrorCode::invalid_argument, field, "1 or 3 values", std::to_string(values.size()));
  }
  for (const double v : values) {
    if (!std::isfinite(v)) refuse(ErrorCode::invalid_argument, field, "finite values", std::to_string(v));
  }
}

void check_target(const ResizeTarget& size) {
  if (size.shortest_edge == 0) {
    check_side("size.height", size.height);
    check_side("size.width", size.width);
    if (size.longest_edge != 0) {
      refuse(ErrorCode::invalid_argument, "size.longest_edge", "given with shortest_edge only",
             std::to_string(size.longest_edge));
    }
    return;
  }
  check_side("size.shortest_edge", size.shortest_edge);
  if (size.height != 0 || size.width != 0) {
    refuse(ErrorCode::invalid_argument, "size", "height and width, or shortest_edge", "both");
  }
  if (size.longest_edge != 0 && size.longest_edge <= size.shortest_edge) {
    refuse(ErrorCode::invalid_argument, "size.longest_edge", "more than " + std::to_string(size.shortest_edge),
           std::to_string(size.longest_edge));
  }
}

void check_options(const ImageProcessorOptions& o) {
  if (o.do_resize) check_target(o.size);
  const int filter = static_cast<int>(o.resample);
  if (filter < 0 || filter > 5) refuse(ErrorCode::invalid_argument, "resample", "0 to 5", std::to_string(filter));
  if (o.do_center_crop) {
    check_side("crop_size.height", o.crop_size.height);
    check_side("crop_size.width", o.crop_size.width);
  }
  if (!std::isfinite(o.rescale_factor)) {
    refuse(ErrorCode::invalid_argument, "rescale_factor", "a finite number", std::to_string(o.rescale_factor));
  }
  check_channel_values("image_mean", o.image_mean);
  check_channel_values("image_std", o.image_std);
}

double channel_value(const std::vector<double>& values, int64_t channel) {
  return values.size() == 1 ? values[0] : values[static_cast<size_t>(channel)];
}

// get_resize_output_image_size() of the reference, for the shorter edge. Quotients are truncated, as int() does there.
ImageExtent resized_extent(const ResizeTarget& size, ImageExtent from) {
  if (size.shortest_edge == 0) return {size.height, size.width};
  const bool upright = from.width <= from.height;
  const int64_t shorter = upright ? from.width : from.height, longer = upright ? from.height : from.width;
  int64_t new_short = size.shortest_edge, new_long = new_short * longer / shorter;
  if (size.longest_edge != 0 && new_long > size.longest_edge) {
    new_short = size.longest_edge * new_short / new_long;
    new_long = size.longest_edge;
  }
  // A picture a thousand times as long as high comes out without height: refused by the caller.
  const auto side = [](int64_t n) { return static_cast<int32_t>(std::min<int64_t>(n, kMaxResizeSide + 1)); };
  return upright ? ImageExtent{side(new_long), side(new_short)} : ImageExtent{side(new_short), side(new_long)};
}

void check_result(ImageExtent e) {
  const bool fits = e.height >= 1 && e.width >= 1 && e.height <= kMaxResizeSide && e.width <= kMaxResizeSide &&
                    int64_t{e.height} * e.width <= kMaxResultPixels;
  if (fits) return;
  refuse(
      ErrorCode::limit_exceeded, "resized image",
      "sides of 1 to " + std::to_string(kMaxResizeSide) + ", at most " + std::to_string(kMaxResultPixels) + " pixels",
      std::to_string(e.width) + " x " + std::to_string(e.height));
}

ImagePlan make_plan(const ImageProcessorOptions& o, ImageExtent source) {
  ImagePlan plan = {source, source, source};
  if (o.do_resize) {
    plan.resized = resized_extent(o.size, source);
    check_result(plan.resized);
  }
  plan.result = o.do_center_crop ? o.crop_size : plan.resized;
  check_result(plan.result);
  plan.window = center_crop_window(plan.resized, plan.result);
  return plan;
}

void prepare_bytes(const ImageProcessorOptions& o, const ResizeSource& source, const ResizeFunctions& functions,
                   ImageScratch& scratch, PreparedImage& out) {
  const ImagePlan plan = make_plan(o, {source.height, source.width});
  const auto bytes_of = [](ImageExtent e) { return static_cast<size_t>(e.height) * static_cast<size_t>(e.width) * 3; };
  out.height = plan.result.height;
  out.width = plan.result.width;
  out.rgb.resize(bytes_of(plan.result));
  // Without resizing this is a copy, and a crop to the same size does nothing.
  if (plan.resized == plan.result) {
    scratch.resizer.resize(functions, o.resample, o.resize_order, source, out.rgb.data(), plan.resized.height,
                           plan.resized.width);
    return;
  }
  scratch.resized.resize(bytes_of(plan.resized));
  scratch.resizer.resize(functions, o.resample, o.resize_order, source, scratch.resized.data(), plan.resized.height,
                         plan.resized.width);
  std::fill(out.rgb.begin(), out.rgb.end(), uint8_t{0});
  copy_window(plan.window, reinterpret_cast<const std::byte*>(scratch.resized.data()), plan.resized,
              reinterpret_cast<std::byte*>(out.rgb.data()), plan.result, 3);
}

void check_mode(const ImageProcessorOptions& o, const Image& image) {
  if (o.do_convert_rgb || image.source_mode == ImageMode::rgb) return;
  throw Error(ErrorCode::unsupported, {.field = "do_convert_rgb",
                                       .expected = "an image of mode RGB when it is off",
                                       .found = "mode " + std::string(name(image.source_mode))});
}

Pixels resized(const ImageProcessorOptions& o, Pixels pixels, const ResizeFunctions& functions, ImageScratch& scratch) {
  const ImagePlan plan = make_plan(o, pixels.extent);
  const BytePixels from = to_bytes(std::move(pixels));
  const int32_t channels = from.pixels.channels;
  const ResizeSource source = {from.pixels.as<uint8_t>(), int64_t{plan.source.width} * channels, plan.source.height,
                               plan.source.width, channels};
  Pixels bytes = make_pixels(DType::u8, plan.resized, channels);
  scratch.resizer.resize(functions, o.resample, o.resize_order, source, bytes.as<uint8_t>(), plan.resized.height,
                         plan.resized.width);
  if (!from.scaled) return bytes;
  Pixels scaled = make_pixels(DType::f32, plan.resized, channels);
  for (int64_t i = 0; i < scaled.count(); ++i) {
    scaled.as<float>()[i] = static_cast<float>(bytes.as<uint8_t>()[i] * (1.0 / 255.0));
  }
  return scaled;
}

Pixels cropped(const ImageProcessorOptions& o, const Pixels& pixels) {
  Pixels out = make_pixels(pixels.dtype, o.crop_size, pixels.channels);
  copy_window(center_crop_window(pixels.extent, o.crop_size), pixels.data.data(), pixels.extent, out.data.data(),
              o.crop_size, pixels.channels * size_of(pixels.dtype));
  return out;
}

// f32 products and quotients are rounded to f32, f64 ones to f64; a rescaled image is f32 whatever it was.
template <class From, class To, class Function>
Pixels mapped(const Pixels& pixels, DType dtype, Function function) {
  Pixels out = make_pixels(dtype, pixels.extent, pixels.channels);
  const From* from = pixels.as<From>();
  To* to = out.as<To>();
  for (int64_t i = 0; i < pixels.count(); ++i) to[i] = function(from[i], i % pixels.channels);
  return out;
}

Pixels rescaled(const ImageProcessorOptions& o, const Pixels& pixels) {
  const double factor = o.rescale_factor;
  if (pixels.dtype == DType::f32) {
    const auto narrow = static_cast<float>(factor);
    return mapped<float, float>(pixels, DType::f32, [=](float v, int64_t) { return v * narrow; });
  }
  if (pixels.dtype == DType::f64) {
    return mapped<double, float>(pixels, DType::f32, [=](double v, int64_t) { return static_cast<float>(v * factor); });
  }
  return mapped<uint8_t, float>(pixels, DType::f32, [=](uint8_t v, int64_t) { return static_cast<float>(v * factor); });
}

Pixels normalised(const ImageProcessorOptions& o, const Pixels& pixels) {
  for (const auto* values : {&o.image_mean, &o.image_std}) {
    if (values->size() != 1 && values->size() != static_cast<size_t>(pixels.channels)) {
      refuse(ErrorCode::invalid_argument, values == &o.image_mean ? "image_mean" : "image_std",
             std::to_string(pixels.channels) + " values, one per channel", std::to_string(values->size()));
    }
  }
  const auto in = [&o]<class T>(T v, int64_t c) {
    const auto mean = static_cast<T>(channel_value(o.image_mean, c)),
               std = static_cast<T>(channel_value(o.image_std, c));
    return (v - mean) / std;
  };
  if (pixels.dtype == DType::f64) return mapped<double, double>(pixels, DType::f64, in);
  if (pixels.dtype == DType::f32) return mapped<float, float>(pixels, DType::f32, in);
  return mapped<uint8_t, float>(pixels, DType::f32, [&](uint8_t v, int64_t c) { return in(static_cast<float>(v), c); });
}

PixelValues in_layout(Pixels pixels, ChannelLayout layout) {
  PixelValues out = {pixels.dtype, layout, pixels.extent.height, pixels.extent.width, pixels.channels, {}};
  if (layout == ChannelLayout::channels_last || pixels.channels == 1) {
    out.data = std::move(pixels.data);
    return out;
  }
  out.data.resize(pixels.data.size());
  const auto size = static_cast<size_t>(size_of(pixels.dtype)), channels = static_cast<size_t>(pixels.channels);
  const size_t plane = pixels.data.size() / channels;
  const std::byte* from = pixels.data.data();
  for (size_t at = 0; at < plane; at += size) {
    for (size_t c = 0; c < channels; ++c, from += size) std::memcpy(out.data.data() + c * plane + at, from, size);
  }
  return out;
}

PixelArray view_of(const Image& image) {
  return {.data = std::as_bytes(std::span(image.rgb)), .height = image.height, .width = image.width, .channels = 3};
}

}  // namespace

ChannelLayout infer_channel_layout(std::span<const int64_t> shape) {
  const auto is_channels = [](int64_t n) { return n == 1 || n == 3; };
  if (shape.size() == 3 && is_channels(shape.front())) return ChannelLayout::channels_first;
  if (shape.size() == 3 && is_channels(shape.back())) return ChannelLayout::channels_last;
  std::string found = "[";
  for (const int64_t n : shape) found += (found.size() > 1 ? ", " : "") + std::to_string(n);
  refuse(ErrorCode::invalid_argument, "shape of the pixels", "three dimensions, the first or last of them 1 or 3",
         found + "]");
}

std::array<float, 768> normalisation_table(const ImageProcessorOptions& o) {
  std::array<float, 768> table = {};
  for (size_t c = 0; c < 3; ++c) {
    const auto channel = static_cast<int64_t>(c);
    const auto mean = static_cast<float>(channel_value(o.image_mean, channel));
    const auto std = static_cast<float>(channel_value(o.image_std, channel));
    for (size_t p = 0; p < 256; ++p) {
      const auto byte = static_cast<double>(p);
      float value = static_cast<float>(o.do_rescale ? byte * o.rescale_factor : byte);
      if (o.do_normalize) value = (value - mean) / std;
      table[c * 256 + p] = value;
    }
  }
  return table;
}

bool allows_patches_from_bytes(const ImageProcessorOptions& o, int32_t image_size) {
  const ImageExtent wanted = {image_size, image_size};
  const bool fixed =
      o.do_center_crop ? o.crop_size == wanted
                       : o.do_resize && o.size.shortest_edge == 0 && ImageExtent{o.size.height, o.size.width} == wanted;
  return fixed && o.do_rescale && o.do_normalize;
}

ImageProcessor::ImageProcessor(ImageProcessorOptions options) : options_(std::move(options)) {
  check_options(options_);
  table_ = normalisation_table(options_);
}

ImageProcessor ImageProcessor::from_directory(const std::filesystem::path& directory) {
  return ImageProcessor(read_image_processor_config(directory));
}

ImageExtent ImageProcessor::output_extent(int32_t height, int32_t width) const {
  check_side("height", height);
  check_side("width", width);
  return make_plan(options_, {height, width}).result;
}

ImagePlan ImageProcessor::plan(const Image& image) const {
  check_mode(options_, image);
  check_array(view_of(image));
  return make_plan(options_, {image.height, image.width});
}

void ImageProcessor::prepare(const Image& image, const ResizeFunctions& resize, ImageScratch& scratch,
                             PreparedImage& out) const {
  check_mode(options_, image);
  prepare(view_of(image), resize, scratch, out);
}

void ImageProcessor::prepare(const PixelArray& pixels, const ResizeFunctions& resize, ImageScratch& scratch,
                             PreparedImage& out) const {
  check_array(pixels);
  if (pixels.dtype != DType::u8 || pixels.channels != 3) {
    refuse(ErrorCode::invalid_argument, "pixels", "three channels of u8",
           std::to_string(pixels.channels) + " of " + std::string(name(pixels.dtype)));
  }
  if (pixels.layout == ChannelLayout::channels_last) {
    const int64_t stride = pixels.row_stride != 0 ? pixels.row_stride : int64_t{3} * pixels.width;
    const auto* bytes = reinterpret_cast<const uint8_t*>(pixels.data.data());
    prepare_bytes(options_, {bytes, stride, pixels.height, pixels.width, 3}, resize, scratch, out);
    return;
  }
  const Pixels dense = dense_copy(pixels);
  prepare_bytes(options_, {dense.as<uint8_t>(), int64_t{3} * pixels.width, pixels.height, pixels.width, 3}, resize,
                scratch, out);
}

void ImageProcessor::write_values(const PreparedImage& image, std::span<float> out) const {
  const size_t plane = static_cast<size_t>(image.height) * static_cast<size_t>(image.width);
  if (out.size() != 3 * plane) {
    refuse(ErrorCode::invalid_argument, "pixel values", std::to_string(3 * plane) + " floats",
           std::to_string(out.size()));
  }
  const bool first = options_.data_format == ChannelLayout::channels_first;
  const uint8_t* rgb = image.rgb.data();
  for (size_t i = 0; i < plane; ++i) {
    for (size_t c = 0; c < 3; ++c) out[first ? c * plane + i : 3 * i + c] = table_[c * 256 + rgb[3 * i + c]];
  }
}

PixelValues ImageProcessor::process(const PixelArray& array, const ResizeFunctions& resize,
                                    ImageScratch& scratch) const {
  check_array(array);
  Pixels pixels = dense_copy(array);
  if (options_.do_resize) pixels = resized(options_, std::move(pixels), resize, scratch);
  if (options_.do_center_crop) pixels = cropped(options_, pixels);
  if (options_.do_rescale) pixels = rescaled(options_, pixels);
  if (options_.do_normalize) pixels = normalised(options_, pixels);
  return in_layout(std::move(pixels), options_.data_format);
}

PixelValues ImageProcessor::process(const Image& image, const ResizeFunctions& resize, ImageScratch& scratch) const {
  check_mode(options_, image);
  return process(view_of(image), resize, scratch);
}

}  // namespace tw
