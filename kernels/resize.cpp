#include "kernels/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"

namespace tw {
namespace {

// Weights are integers in units of 2^-22: 32 bits less 8 of the pixel less 2 for sums beyond [0, 1].
constexpr int kWeightBits = 22;

double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi); }

double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double hamming(double x) {
  x = std::abs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= std::numbers::pi;
  // The two constants are f32 in Pillow too.
  return std::sin(x) / x * (static_cast<double>(0.54f) + static_cast<double>(0.46f) * std::cos(x));
}

// Keys 1981, a = -0.5.
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

double evaluate(ResizeFilter filter, double x) {
  switch (filter) {
    case ResizeFilter::lanczos:
      return lanczos(x);
    case ResizeFilter::bilinear:
      return bilinear(x);
    case ResizeFilter::bicubic:
      return bicubic(x);
    case ResizeFilter::box:
      return box(x);
    case ResizeFilter::hamming:
      return hamming(x);
    case ResizeFilter::nearest:
      break;
  }
  return 0.0;
}

double support_of(ResizeFilter filter) {
  switch (filter) {
    case ResizeFilter::lanczos:
      return 3.0;
    case ResizeFilter::bicubic:
      return 2.0;
    case ResizeFilter::bilinear:
    case ResizeFilter::hamming:
      return 1.0;
    case ResizeFilter::box:
    case ResizeFilter::nearest:
      break;
  }
  return 0.5;
}

int32_t quantise(double weight) {
  const double scaled = weight * (1 << kWeightBits);
  return static_cast<int32_t>(weight < 0.0 ? scaled - 0.5 : scaled + 0.5);
}

uint32_t low_pair(int32_t a, int32_t b) {
  return static_cast<uint32_t>(static_cast<uint16_t>(a)) | static_cast<uint32_t>(static_cast<uint16_t>(b)) << 16;
}

ResizeGroup pack(const int32_t (&weights)[4]) {
  int32_t low[4];
  uint32_t high = 0;
  for (int i = 0; i < 4; ++i) {
    low[i] = static_cast<int16_t>(static_cast<uint16_t>(weights[i]));  // weight modulo 2^16, as a signed number
    high |= static_cast<uint32_t>(static_cast<uint8_t>((weights[i] - low[i]) >> 16)) << (8 * i);
  }
  return {high, low_pair(low[0], low[2]), low_pair(low[1], low[3])};
}

// Pillow steps through the source by adding the scale once per output; the rounding of that sum is part of the result.
template <class Take>  // take(position)
void for_nearest_positions(int32_t source_size, int32_t output_size, Take take) {
  const double scale = static_cast<double>(source_size) / output_size;
  double position = scale * 0.5;
  for (int32_t i = 0; i < output_size; ++i, position += scale)
    take(std::min(static_cast<int32_t>(position), source_size - 1));
}

void resize_nearest(const ResizeSource& source, uint8_t* dst, int32_t height, int32_t width) {
  std::vector<int32_t> xs, ys;
  for_nearest_positions(source.width, width, [&](int32_t x) { xs.push_back(x); });
  for_nearest_positions(source.height, height, [&](int32_t y) { ys.push_back(y); });
  const auto pixel = static_cast<size_t>(source.channels);
  for (const int32_t y : ys) {
    const uint8_t* row = source.pixels + y * source.stride;
    for (const int32_t x : xs) {
      std::memcpy(dst, row + static_cast<int64_t>(x) * source.channels, pixel);
      dst += pixel;
    }
  }
}

void copy_rows(const ResizeSource& source, uint8_t* dst) {
  const int64_t row = static_cast<int64_t>(source.width) * source.channels;
  for (int64_t y = 0; y < source.height; ++y) {
    std::memcpy(dst + y * row, source.pixels + y * source.stride, static_cast<size_t>(row));
  }
}

bool is_vertical_first(ResizeOrder order, int32_t source_height, int32_t source_width, int32_t height, int32_t width) {
  return order == ResizeOrder::pillow_13 && height < source_height &&
         source_height - height > 2 * (source_width - width);
}

void check_side(const char* field, int64_t side) {
  if (side >= 1 && side <= kMaxResizeSide) return;
  throw Error(ErrorCode::invalid_argument, {.field = field,
                                            .expected = "1 to " + std::to_string(kMaxResizeSide) + " pixels",
                                            .found = std::to_string(side)});
}

void check_source(const ResizeSource& source) {
  check_side("source height", source.height);
  check_side("source width", source.width);
  if (source.channels != 1 && source.channels != 3) {
    throw Error(ErrorCode::invalid_argument,
                {.field = "channels", .expected = "1 or 3", .found = std::to_string(source.channels)});
  }
  const int64_t row = static_cast<int64_t>(source.width) * source.channels;
  if (source.stride < row) {
    throw Error(ErrorCode::invalid_argument, {.field = "row stride",
                                              .expected = "at least " + std::to_string(row) + " bytes",
                                              .found = std::to_string(source.stride)});
  }
}

uint8_t* aligned_64(std::vector<uint8_t>& memory, int64_t bytes) {
  memory.resize(static_cast<size_t>(bytes) + 63);
  const auto address = reinterpret_cast<uintptr_t>(memory.data());
  return memory.data() + ((64 - address % 64) % 64);
}

}  // namespace

void ResizeAxis::begin(int32_t source_size, int32_t output_size) {
  source_size_ = source_size;
  output_size_ = output_size;
  windows_.clear();
  weights_.clear();
  groups_.clear();
}

void ResizeAxis::set_nearest(int32_t source_size, int32_t output_size) {
  begin(source_size, output_size);
  weights_.push_back(1 << kWeightBits);
  for_nearest_positions(source_size, output_size, [&](int32_t position) {
    windows_.push_back({.first = position, .count = 1, .weights = 0, .group_first = 0, .group_count = 0, .groups = 0});
  });
}

void ResizeAxis::set(int32_t source_size, int32_t output_size, ResizeFilter filter, int32_t group_alignment) {
  begin(source_size, output_size);

  const double scale = static_cast<double>(source_size) / output_size;
  const double stretch = std::max(scale, 1.0);  // downscaling widens the filter: antialiasing
  const double inverse_stretch = 1.0 / stretch;
  const double support = support_of(filter) * stretch;
  for (int32_t i = 0; i < output_size; ++i) {
    const double center = (i + 0.5) * scale;
    const int32_t first = std::max(static_cast<int32_t>(center - support + 0.5), 0);
    const int32_t end = std::min(static_cast<int32_t>(center + support + 0.5), source_size);

    exact_.clear();
    double total = 0.0;
    for (int32_t j = 0; j < end - first; ++j) {
      exact_.push_back(evaluate(filter, (j + first - center + 0.5) * inverse_stretch));
      total += exact_.back();
    }
    ResizeWindow window = {};
    window.first = first;
    window.count = end - first;
    window.weights = static_cast<int32_t>(weights_.size());
    for (const double w : exact_) weights_.push_back(quantise(total != 0.0 ? w / total : w));

    window.group_first = first - first % group_alignment;
    window.group_count = (end - window.group_first + 3) / 4;
    window.groups = static_cast<int32_t>(groups_.size());
    for (int32_t g = 0; g < window.group_count; ++g) {
      int32_t four[4];
      for (int32_t j = 0; j < 4; ++j) {
        const int32_t position = window.group_first + 4 * g + j - first;
        four[j] =
            position >= 0 && position < window.count ? weights_[static_cast<size_t>(window.weights + position)] : 0;
      }
      groups_.push_back(pack(four));
    }
    windows_.push_back(window);
  }
}

ResizeTaps ResizeAxis::taps() const {
  return {source_size_, output_size_, windows_.data(), weights_.data(), groups_.data()};
}

void ResizePasses::set(ResizeFilter filter, ResizeOrder order, int32_t source_height, int32_t source_width,
                       int32_t height, int32_t width) {
  const std::optional<ResizeFilter> before = std::exchange(filter_, std::nullopt);  // should there be no memory
  const auto set_axis = [&](ResizeAxis& axis, int32_t source, int32_t output) {
    const ResizeTaps had = axis.taps();
    if (before == filter && had.source_size == source && had.output_size == output) return;
    filter == ResizeFilter::nearest || source == output ? axis.set_nearest(source, output)
                                                        : axis.set(source, output, filter, 1);
  };
  set_axis(vertical_, source_height, height);
  set_axis(horizontal_, source_width, width);
  filter_ = filter;
  vertical_first_ = is_vertical_first(order, source_height, source_width, height, width);
}

void Resizer::prepare(ResizeFilter filter, const ResizeSource& source, int32_t height, int32_t width) {
  const bool same_x = filter == filter_ && source.width == source_width_ && width == width_;
  const bool same_y = filter == filter_ && source.height == source_height_ && height == height_;
  filter_ = ResizeFilter::nearest;  // matches nothing, should set() run out of memory
  if (width != source.width && !same_x) horizontal_.set(source.width, width, filter, 4);
  if (height != source.height && !same_y) vertical_.set(source.height, height, filter, 1);
  filter_ = filter;
  source_height_ = source.height;
  source_width_ = source.width;
  height_ = height;
  width_ = width;
}

void Resizer::horizontal(const ResizeFunctions& functions, const ResizeSource& source, uint8_t* dst) {
  const ResizeTaps taps = horizontal_.taps();
  uint8_t* scratch = aligned_64(scratch_, resize_horizontal_scratch(source.width, source.channels));
  functions.horizontal({source.pixels, source.stride, dst, static_cast<int64_t>(width_) * source.channels,
                        source.height, source.channels, &taps, scratch});
}

void Resizer::vertical(const ResizeFunctions& functions, const ResizeSource& source, uint8_t* dst) {
  const ResizeTaps taps = vertical_.taps();
  const int64_t row = static_cast<int64_t>(source.width) * source.channels;
  functions.vertical({source.pixels, source.stride, 0, dst, row, row, 0, height_, &taps});
}

void Resizer::resize(const ResizeFunctions& functions, ResizeFilter filter, ResizeOrder order,
                     const ResizeSource& source, uint8_t* dst, int32_t height, int32_t width) {
  check_source(source);
  check_side("height", height);
  check_side("width", width);
  const bool same_width = width == source.width, same_height = height == source.height;
  if (same_width && same_height) return copy_rows(source, dst);
  if (filter == ResizeFilter::nearest) return resize_nearest(source, dst, height, width);

  prepare(filter, source, height, width);
  if (same_height) return horizontal(functions, source, dst);
  if (same_width) return vertical(functions, source, dst);

  ResizeSource between = {nullptr, 0, source.height, width, source.channels};
  const bool down_first = is_vertical_first(order, source.height, source.width, height, width);
  if (down_first) {
    between.height = height;
    between.width = source.width;
  }
  between.stride = static_cast<int64_t>(between.width) * between.channels;
  intermediate_.resize(static_cast<size_t>(between.height * between.stride));
  between.pixels = intermediate_.data();
  if (down_first) {
    vertical(functions, source, intermediate_.data());
    horizontal(functions, between, dst);
  } else {
    horizontal(functions, source, intermediate_.data());
    vertical(functions, between, dst);
  }
}

}  // namespace tw
