#include "cli/pictures_ahead.h"

#include <span>

#include "cli/pipeline.h"

namespace tuwen_cli {
namespace {

// What the library says of a picture, without a name for it.
std::string reason_of(const tuwen::Error& error) {
  std::string text = tuwen_status_name(error.status());
  for (const std::string& part : {error.field(), error.expected().empty() ? "" : "expected " + error.expected(),
                                  error.found().empty() ? "" : "found " + error.found(), error.note()}) {
    if (!part.empty()) text += ": " + part;
  }
  return text;
}

}  // namespace

Pixels pixels_of(const tuwen::Model& model, const tuwen::Image& image) {
  auto steps = model.processor().preprocess_options();
  steps.threads = 1;
  steps.channels_last = 0;
  const int64_t side = model.info().image_size;
  const auto [height, width] = model.processor().preprocess_size(image, &steps);
  if (height != side || width != side) {
    throw Failure("preprocessor_config.json makes " + std::to_string(width) + "x" + std::to_string(height) +
                  " pixels of it; expected " + std::to_string(side) + "x" + std::to_string(side));
  }
  return model.processor().preprocess({&image, 1}, &steps).data;
}

Pixels pixels_of(const tuwen::Model& model, std::string_view file) {
  try {
    return pixels_of(model, tuwen::Image::decode(std::as_bytes(std::span(file))));
  } catch (const tuwen::Error& error) {
    if (error.status() == TUWEN_OUT_OF_MEMORY) throw;
    throw Failure(reason_of(error));
  }
}

ReadAhead<Pixels> pictures_ahead(const tuwen::Model& model, const tuwen::Session& session,
                                 const std::vector<std::string>& paths) {
  auto source = items_ahead<Pixels>(0, paths.size(), session.info().threads);
  source.make = [&](size_t i) {
    const tuwen::Image image = tuwen::Image::read(paths[i]);
    try {
      return pixels_of(model, image);
    } catch (const Failure& failure) {
      throw Failure(paths[i] + ": " + failure.what());
    }
  };
  return ReadAhead<Pixels>(std::move(source));
}

tuwen::Matrix encode_pixels(tuwen::Session& session, const std::vector<Pixels>& pictures, size_t columns,
                            const tuwen_encode_options* how) {
  Pixels all;
  all.reserve(pictures.size() * pictures.front().size());
  for (const Pixels& picture : pictures) all.insert(all.end(), picture.begin(), picture.end());
  tuwen::Matrix rows(pictures.size(), columns);
  session.encode_pixels(all, rows.data, how);
  return rows;
}

}  // namespace tuwen_cli
