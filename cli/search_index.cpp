#include "cli/search_index.h"

#include <cmath>
#include <limits>

#include "cli/nearest.h"

namespace tuwen_cli {

std::vector<FoundMatch> search_exactly(tuwen::Session& session, float logit_scale, const IndexFile& index,
                                       std::span<const float> query, size_t top) {
  const IndexContent& content = index.content();
  std::vector<float> scores(content.hashes.size());
  if (!scores.empty()) {
    tuwen::check(
        tuwen_logits(session.get(), index.vectors().data(), scores.size(), query.data(), 1, scores.data(), nullptr));
  }
  for (float& score : scores) {
    score /= logit_scale;
    if (std::isnan(score)) score = -std::numeric_limits<float>::infinity();  // a made-up file's; sorting needs an order
  }
  // Pictures lie in the order of their paths, so that their places settle ties.
  std::vector<float> of_pictures;
  of_pictures.reserve(content.pictures.size());
  for (const IndexedPicture& picture : content.pictures) of_pictures.push_back(scores[picture.vector]);
  std::vector<FoundMatch> matches;
  for (const size_t i : largest(of_pictures, top)) matches.push_back({&content.pictures[i], of_pictures[i]});
  return matches;
}

}  // namespace tuwen_cli
