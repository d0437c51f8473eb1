#include "cli/images.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>

#include "cli/interrupt.h"
#include "cli/pictures_ahead.h"
#include "cli/pipeline.h"
#include "cli/progress.h"

namespace tuwen_cli {
namespace {

constexpr size_t kImageBatch = 16, kTextBatch = 256;

// Throws what the library said of text[n] of a batch for text[begin + n], without its note on the library's options.
void rethrow_for_text(const tuwen::Error& error, size_t begin) {
  constexpr std::string_view kText = "text[";
  if (!error.file().starts_with(kText)) return;
  size_t index = 0;
  std::from_chars(error.file().data() + kText.size(), error.file().data() + error.file().size(), index);
  throw Failure(std::string(tuwen_status_name(error.status())) + ": text[" + std::to_string(begin + index) +
                "]: " + error.field() + ": expected " + error.expected() + ", found " + error.found());
}

}  // namespace

tuwen::Matrix encode_texts(tuwen::Session& session, const std::vector<std::string>& texts, size_t begin, size_t end,
                           const tuwen_encode_options* how) {
  try {
    return session.encode_texts(std::span(texts).subspan(begin, end - begin), how);
  } catch (const tuwen::Error& error) {
    rethrow_for_text(error, begin);
    throw;
  }
}

std::vector<tuwen::Image> read_images(const std::vector<std::string>& paths, size_t begin, size_t end) {
  std::vector<tuwen::Image> images;
  images.reserve(end - begin);
  for (size_t i = begin; i < end; ++i) images.push_back(tuwen::Image::read(paths[i]));
  return images;
}

tuwen::Matrix encode_image_files(const tuwen::Model& model, tuwen::Session& session,
                                 const std::vector<std::string>& paths, bool quiet) {
  Progress progress(paths.size(), "images", quiet);
  tuwen::Matrix all(paths.size(), static_cast<size_t>(model.info().embedding_size));
  ReadAhead<Pixels> pictures = pictures_ahead(model, session, paths);
  run_pipeline<tuwen::Matrix>(
      pictures, kImageBatch, "nothing was written",
      [&](size_t, const std::vector<Pixels>& batch) {
        tuwen::Matrix rows = encode_pixels(session, batch, all.columns);
        progress.advance(batch.size());
        return rows;
      },
      [&](size_t first, const tuwen::Matrix& rows) {
        std::copy(rows.data.begin(), rows.data.end(), all.row(first).data());
      });
  return all;
}

tuwen::Matrix encode_text_lines(tuwen::Session& session, const std::vector<std::string>& texts, bool quiet) {
  Progress progress(texts.size(), "texts", quiet);
  tuwen::Matrix all;
  for (size_t begin = 0; begin < texts.size(); begin += kTextBatch) {
    check_interrupt();
    const size_t end = std::min(texts.size(), begin + kTextBatch);
    const tuwen::Matrix part = encode_texts(session, texts, begin, end);
    all.columns = part.columns;
    all.rows += part.rows;
    all.data.insert(all.data.end(), part.data.begin(), part.data.end());
    progress.advance(end - begin);
  }
  return all;
}

}  // namespace tuwen_cli
