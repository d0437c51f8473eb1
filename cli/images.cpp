#include "cli/images.h"

#include <algorithm>
#include <span>

#include "cli/progress.h"

namespace tuwen_cli {
namespace {

constexpr size_t kImageBatch = 16, kTextBatch = 256;

// Calls encode(begin, end) on slices of [0, total) and gathers the rows it returns.
template <class Encode>
tuwen::Matrix in_batches(size_t total, size_t batch, Progress& progress, Encode&& encode) {
  tuwen::Matrix all;
  for (size_t begin = 0; begin < total; begin += batch) {
    const size_t end = std::min(total, begin + batch);
    const tuwen::Matrix part = encode(begin, end);
    all.columns = part.columns;
    all.rows += part.rows;
    all.data.insert(all.data.end(), part.data.begin(), part.data.end());
    progress.advance(end - begin);
  }
  return all;
}

}  // namespace

std::vector<tuwen::Image> read_images(const std::vector<std::string>& paths, size_t begin, size_t end) {
  std::vector<tuwen::Image> images;
  images.reserve(end - begin);
  for (size_t i = begin; i < end; ++i) images.push_back(tuwen::Image::read(paths[i]));
  return images;
}

tuwen::Matrix encode_image_files(tuwen::Session& session, const std::vector<std::string>& paths, bool quiet) {
  Progress progress(paths.size(), "images", quiet);
  return in_batches(paths.size(), kImageBatch, progress,
                    [&](size_t begin, size_t end) { return session.encode_images(read_images(paths, begin, end)); });
}

tuwen::Matrix encode_text_lines(tuwen::Session& session, const std::vector<std::string>& texts, bool quiet) {
  Progress progress(texts.size(), "texts", quiet);
  return in_batches(texts.size(), kTextBatch, progress, [&](size_t begin, size_t end) {
    return session.encode_texts(std::span(texts).subspan(begin, end - begin));
  });
}

}  // namespace tuwen_cli
