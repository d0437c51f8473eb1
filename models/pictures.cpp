#include "models/pictures.h"

#include <algorithm>

#include "core/jobs.h"
#include "kernels/select.h"

namespace tw {
namespace {

struct Preparation {
  Session& session;
  const ImageProcessor& processor;
  const PictureSource& source;
  PictureMemory& memory;
  int32_t side;
  bool as_bytes;  // the encoder can take them from there
  ResizeFunctions resize;

  // use(i, picture, worker) of `count` pictures from the first-th on, on the session's threads. Each picture is
  // decoded, used and forgotten by one thread.
  template <class Use>
  void for_each(int64_t first, int64_t count, Use use) const {
    run_jobs(session.team(), count, [&](int64_t i, int member) {
      PictureWorker& worker = memory.workers[static_cast<size_t>(member)];
      naming_picture([&] { return source.name(first + i); },
                     [&] { use(i, source.get(first + i, worker.read), worker); });
    });
  }

  const PreparedImage& prepared(const Image& picture, PictureWorker& worker) const {
    processor.prepare(picture, resize, worker.scratch, worker.prepared);
    const PreparedImage& p = worker.prepared;
    if (p.height == side && p.width == side) return p;
    throw Error(ErrorCode::shape_mismatch,
                {.field = "preprocessor_config.json",
                 .expected = std::to_string(side) + "x" + std::to_string(side) + " pixels (vision_config.image_size)",
                 .found = std::to_string(p.width) + "x" + std::to_string(p.height)});
  }

  // Here, as bytes or values.
  ImageBatch prepare(int64_t first, int64_t count) const {
    const size_t each = static_cast<size_t>(side) * static_cast<size_t>(side) * 3;
    as_bytes ? memory.bytes.resize(static_cast<size_t>(count) * each)
             : memory.values.resize(static_cast<size_t>(count) * each);
    for_each(first, count, [&](int64_t i, const Image& picture, PictureWorker& worker) {
      const PreparedImage& image = prepared(picture, worker);
      const size_t at = static_cast<size_t>(i) * each;
      if (as_bytes) {
        std::copy(image.rgb.begin(), image.rgb.end(), memory.bytes.begin() + static_cast<std::ptrdiff_t>(at));
      } else {
        processor.write_values(image, std::span(memory.values).subspan(at, each));
      }
    });
    return {.pixels = as_bytes ? static_cast<const void*>(memory.bytes.data()) : memory.values.data(),
            .u8 = as_bytes,
            .table = processor.table().data(),
            .count = count};
  }

  // For the device to resize; what is too large for that is resized here.
  void stage(int64_t first, StagedPictures& slice) const {
    for_each(first, slice.count(), [&](int64_t i, const Image& picture, PictureWorker& worker) {
      const ImageProcessorOptions& options = processor.options();
      if (slice.put(i, options, processor.plan(picture), picture.rgb.data(), worker.passes)) return;
      const ImageExtent whole = {side, side};
      slice.put(i, options, {whole, whole, whole, {0, 0, 0, 0, whole}}, prepared(picture, worker).rgb.data(),
                worker.passes);
    });
  }
};

}  // namespace

void encode_pictures(Session& session, const ImageProcessor& processor, const PictureSource& source, int64_t count,
                     PictureMemory& memory, std::span<float> out, const EmbedOptions& options) {
  const auto side = static_cast<int32_t>(session.model().config().vision.image_size);
  const bool as_bytes = allows_patches_from_bytes(processor.options(), side);
  const Preparation preparation{
      session, processor, source, memory, side, as_bytes, resize_functions(session.kernels())};
  memory.workers.resize(static_cast<size_t>(session.threads()));
  if (session.device() && as_bytes) {
    return session.encode_pictures(
        count, processor.table().data(), [&](int64_t first, StagedPictures& slice) { preparation.stage(first, slice); },
        out, options);
  }
  const int64_t at_once = session.device() ? session.images_in_slice() : kPicturesAtOnce;
  const int64_t width = session.model().embedding_width();
  for (int64_t first = 0; first < count; first += at_once) {
    const int64_t some = std::min(at_once, count - first);
    session.encode_images(preparation.prepare(first, some),
                          out.subspan(static_cast<size_t>(first * width), static_cast<size_t>(some * width)), options);
  }
}

}  // namespace tw
