// Pictures, and the steps of the image processor on them.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <tuple>
#include <utility>

#include "python/native/common.h"

namespace tuwen::python {
namespace {

using U8Array = nb::ndarray<const uint8_t, nb::device::cpu>;

// 8-bit pixels [height, width, channels] with any distance between rows.
Image from_array(const U8Array& array) {
  if (array.ndim() != 3) raise(PyExc_ValueError, "pixels: expected [height, width, channels]");
  const auto channels = static_cast<int64_t>(array.shape(2));
  if (array.stride(2) != 1 || array.stride(1) != channels) raise(PyExc_ValueError, "pixels: rows have gaps");
  const int64_t row_bytes = array.shape(0) > 1 ? array.stride(0) : static_cast<int64_t>(array.shape(1)) * channels;
  if (row_bytes < static_cast<int64_t>(array.shape(1)) * channels) raise(PyExc_ValueError, "pixels: rows overlap");
  const tuwen_pixels pixels{.data = array.data(),
                            .width = static_cast<int64_t>(array.shape(1)),
                            .height = static_cast<int64_t>(array.shape(0)),
                            .row_bytes = row_bytes,
                            .channels = static_cast<int32_t>(channels)};
  const size_t rows = array.shape(0);
  const size_t size = rows == 0 ? 0 : (rows - 1) * static_cast<size_t>(row_bytes) + array.shape(1) * array.shape(2);
  nb::gil_scoped_release unlocked;
  return Image::from_pixels(pixels, size);
}

nb::ndarray<nb::numpy, const uint8_t> pixels_of(nb::handle self) {
  const tuwen_pixels p = nb::cast<const Image&>(self).pixels();
  return view(p.data, {static_cast<size_t>(p.height), static_cast<size_t>(p.width), size_t{3}}, self);
}

template <size_t N>
void set_three(double (&out)[N], const std::vector<double>& values, const char* name) {
  if (values.size() != N) raise(PyExc_ValueError, std::string(name) + ": expected one value a channel");
  for (size_t c = 0; c < N; ++c) out[c] = values[c];
}

using Pair = std::pair<int64_t, int64_t>;

// The steps that are on; those that are off are None.
struct Steps {
  nb::object size, edges, crop, rescale_factor, mean, std;
  int resample = TUWEN_BICUBIC;
  bool channels_last = false;
  int threads = 0;
};

Pair pair_of(const nb::object& object) {
  const auto items = nb::cast<nb::sequence>(object);
  return {nb::cast<int64_t>(items[0]), nb::cast<int64_t>(items[1])};
}

tuwen_preprocess_options options_of(const Steps& steps) {
  auto o = make<tuwen_preprocess_options>();
  o.filter = steps.resample;
  o.channels_last = steps.channels_last;
  o.threads = steps.threads;
  o.do_resize = !steps.size.is_none() || !steps.edges.is_none();
  if (!steps.size.is_none()) std::tie(o.resize_height, o.resize_width) = pair_of(steps.size);
  if (!steps.edges.is_none()) std::tie(o.shortest_edge, o.longest_edge) = pair_of(steps.edges);
  o.do_center_crop = !steps.crop.is_none();
  if (o.do_center_crop) std::tie(o.crop_height, o.crop_width) = pair_of(steps.crop);
  o.do_rescale = !steps.rescale_factor.is_none();
  if (o.do_rescale) o.rescale_factor = nb::cast<double>(steps.rescale_factor);
  o.do_normalize = !steps.mean.is_none();
  if (o.do_normalize) {
    set_three(o.mean, nb::cast<std::vector<double>>(steps.mean), "image_mean");
    set_three(o.std, nb::cast<std::vector<double>>(steps.std), "image_std");
  }
  return o;
}

// pixel_values [count, 3, height, width], or channels last.
nb::ndarray<nb::numpy, float> preprocess(const nb::sequence& images, const Steps& steps) {
  const tuwen_preprocess_options options = options_of(steps);
  const size_t count = nb::len(images);
  if (count == 0) raise(PyExc_ValueError, "images: expected at least one");
  std::vector<nb::object> kept;
  std::vector<const tuwen_image*> handles;
  for (size_t i = 0; i < count; ++i) {
    kept.push_back(images[i]);
    handles.push_back(nb::cast<const Image&>(kept.back()).get());
  }
  int64_t height = 0, width = 0;
  check(tuwen_preprocess_size(nullptr, handles[0], &options, &height, &width));
  const auto h = static_cast<size_t>(height), w = static_cast<size_t>(width);
  const NewArray out = steps.channels_last ? new_array({count, h, w, size_t{3}}) : new_array({count, size_t{3}, h, w});
  {
    nb::gil_scoped_release unlocked;
    check(tuwen_preprocess(nullptr, handles.data(), count, &options, out.data, count * 3 * h * w));
  }
  return out.array;
}

}  // namespace

void bind_images(nb::module_& module) {
  nb::class_<Image>(module, "Image", "A decoded picture: 8 bits a channel, RGB.")
      .def_static(
          "read", [](const std::string& path) { return Image::read(path); }, nb::arg("path"),
          nb::call_guard<nb::gil_scoped_release>(), "Decodes a JPEG, PNG, WebP or BMP file.")
      .def_static(
          "decode",
          [](const nb::bytes& bytes) {
            const std::span content(static_cast<const std::byte*>(bytes.data()), bytes.size());
            nb::gil_scoped_release unlocked;
            return Image::decode(content);
          },
          nb::arg("content"), "Decodes the content of such a file.")
      .def_static("from_pixels", &from_array, nb::arg("pixels").noconvert(),
                  "Copies 8-bit pixels [height, width, 1, 3 or 4 channels].")
      .def_prop_ro("pixels", &pixels_of, "uint8 [height, width, 3], read-only, without a copy.")
      .def_prop_ro("height", [](const Image& image) { return image.pixels().height; })
      .def_prop_ro("width", [](const Image& image) { return image.pixels().width; });
  module.def(
      "preprocess",
      [](const nb::sequence& images, const nb::object& size, const nb::object& edges, const nb::object& crop,
         const nb::object& rescale_factor, const nb::object& mean, const nb::object& std, int resample,
         bool channels_last, int threads) {
        return preprocess(images, {size, edges, crop, rescale_factor, mean, std, resample, channels_last, threads});
      },
      nb::arg("images"), nb::kw_only(), nb::arg("size") = nb::none(), nb::arg("edges") = nb::none(),
      nb::arg("crop") = nb::none(), nb::arg("rescale_factor") = nb::none(), nb::arg("mean") = nb::none(),
      nb::arg("std") = nb::none(), nb::arg("resample") = static_cast<int>(TUWEN_BICUBIC),
      nb::arg("channels_last") = false, nb::arg("threads") = 0,
      "Resizes, crops, rescales and normalises pictures; a step whose argument is None is left out.");
}

}  // namespace tuwen::python
