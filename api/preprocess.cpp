// Preprocessing pictures to pixel values.
#include <algorithm>
#include <cmath>

#include "api/boundary.h"
#include "api/environment.h"
#include "api/handles.h"
#include "api/pictures.h"
#include "core/checked_math.h"
#include "core/cpu_info.h"
#include "core/jobs.h"
#include "kernels/select.h"

namespace tw {
namespace {

bool flag_of(int32_t value, const char* name) { return checked_choice(value, 1, name) == 1; }

int32_t side_of(int64_t pixels, const char* name) {
  if (pixels < 0 || pixels > kMaxResizeSide) {
    throw_argument(name, "0 to " + std::to_string(kMaxResizeSide) + " pixels", std::to_string(pixels));
  }
  return static_cast<int32_t>(pixels);
}

ImageProcessorOptions read_steps(const tuwen_preprocess_options* given) {
  const tuwen_preprocess_options o = read_options(given, "options");
  ImageProcessorOptions steps;
  steps.do_resize = flag_of(o.do_resize, "options.do_resize");
  steps.size = {.height = side_of(o.resize_height, "options.resize_height"),
                .width = side_of(o.resize_width, "options.resize_width"),
                .shortest_edge = side_of(o.shortest_edge, "options.shortest_edge"),
                .longest_edge = side_of(o.longest_edge, "options.longest_edge")};
  steps.resample = static_cast<ResizeFilter>(checked_choice(o.filter, TUWEN_HAMMING, "options.filter"));
  steps.do_center_crop = flag_of(o.do_center_crop, "options.do_center_crop");
  steps.crop_size = {.height = side_of(o.crop_height, "options.crop_height"),
                     .width = side_of(o.crop_width, "options.crop_width")};
  steps.do_rescale = flag_of(o.do_rescale, "options.do_rescale");
  steps.rescale_factor = o.rescale_factor;
  steps.do_normalize = flag_of(o.do_normalize, "options.do_normalize");
  steps.image_mean.assign(std::begin(o.mean), std::end(o.mean));
  steps.image_std.assign(std::begin(o.std), std::end(o.std));
  steps.data_format =
      flag_of(o.channels_last, "options.channels_last") ? ChannelLayout::channels_last : ChannelLayout::channels_first;
  return steps;
}
static_assert(static_cast<int>(ResizeFilter::hamming) == TUWEN_HAMMING);

// One value a channel; a configuration may give one for all.
void set_channels(double (&out)[3], const std::vector<double>& values) {
  for (size_t c = 0; c < 3; ++c) out[c] = values[values.size() == 1 ? 0 : c];
}

tuwen_preprocess_options options_of(const ImageProcessorOptions& steps) {
  tuwen_preprocess_options o = {};
  o.do_resize = steps.do_resize;
  o.resize_height = steps.size.height;
  o.resize_width = steps.size.width;
  o.shortest_edge = steps.size.shortest_edge;
  o.longest_edge = steps.size.longest_edge;
  o.filter = static_cast<tuwen_filter>(steps.resample);
  o.do_center_crop = steps.do_center_crop;
  o.crop_height = steps.crop_size.height;
  o.crop_width = steps.crop_size.width;
  o.do_rescale = steps.do_rescale;
  o.rescale_factor = steps.rescale_factor;
  o.do_normalize = steps.do_normalize;
  set_channels(o.mean, steps.image_mean);
  set_channels(o.std, steps.image_std);
  o.channels_last = steps.data_format == ChannelLayout::channels_last;
  return o;
}

int threads_of(const tuwen_preprocess_options* given) {
  return checked_choice(read_options(given, "options").threads, 1024, "options.threads");
}

ImageProcessor processor_for(const tuwen_processor* processor, const tuwen_preprocess_options* options) {
  return options == nullptr ? not_null(processor, "processor").images : ImageProcessor(read_steps(options));
}

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_processor_get_preprocess(const tuwen_processor* processor, tuwen_preprocess_options* options) {
  return guarded(
      [&] { write_info(options, options_of(not_null(processor, "processor").images.options()), "options"); });
}

tuwen_status tuwen_preprocess_size(const tuwen_processor* processor, const tuwen_image* image,
                                   const tuwen_preprocess_options* options, int64_t* height, int64_t* width) {
  return guarded([&] {
    const Image& i = not_null(image, "image").image;
    not_null(height, "height");
    not_null(width, "width");
    const ImageExtent extent = processor_for(processor, options).output_extent(i.height, i.width);
    *height = extent.height;
    *width = extent.width;
  });
}

tuwen_status tuwen_preprocess(const tuwen_processor* processor, const tuwen_image* const* images, size_t count,
                              const tuwen_preprocess_options* options, float* pixel_values, size_t size) {
  return guarded([&] {
    const ImageProcessor steps = processor_for(processor, options);
    if (count > 0) not_null(images, "images");
    if (size > 0) not_null(pixel_values, "pixel_values");
    const CpuInfo cpu = query_cpu();
    const ResizeFunctions resize = resize_functions(select_table(cpu, wanted_isa()));
    const int wanted = threads_of(options);
    const auto most = static_cast<size_t>(wanted == 0 ? cpu.cores : wanted);
    ThreadPool pool(static_cast<int>(std::min(count, most)));
    Team team(pool.executor(), pool.size());
    std::vector<PictureWorker> workers(static_cast<size_t>(team.threads()));
    const PictureList pictures{.images = images};
    const auto extent_of = [&](size_t i) {
      const Image& image = pictures.get(i, workers[0].read);
      ImageExtent extent;
      naming_picture([&] { return pictures.name(i); },
                     [&] { extent = steps.output_extent(image.height, image.width); });
      return extent;
    };
    const ImageExtent common = count == 0 ? ImageExtent{} : extent_of(0);
    run_jobs(team, static_cast<int64_t>(count), [&](int64_t job, int member) {
      const auto i = static_cast<size_t>(job);
      const ImageExtent extent = extent_of(i);
      const auto each = static_cast<size_t>(extent.height) * static_cast<size_t>(extent.width) * 3;
      if (extent != common || size / count != each || size % count != 0) {
        const std::string shape =
            "[3, " + std::to_string(common.height) + ", " + std::to_string(common.width) + "] of the first";
        throw Error(ErrorCode::invalid_argument,
                    {.file = pictures.name(i),
                     .field = "pixel_values",
                     .expected = std::to_string(count) + " times " + shape,
                     .found = "[3, " + std::to_string(extent.height) + ", " + std::to_string(extent.width) +
                              "], in all " + std::to_string(size) + " floats"});
      }
      PictureWorker& worker = workers[static_cast<size_t>(member)];
      naming_picture([&] { return pictures.name(i); },
                     [&] {
                       steps.prepare(pictures.get(i, worker.read), resize, worker.scratch, worker.prepared);
                       steps.write_values(worker.prepared, {pixel_values + i * each, each});
                     });
    });
    if (count == 0 && size != 0) throw_argument("size", "0", std::to_string(size));
  });
}
