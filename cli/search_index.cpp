#include "cli/search_index.h"

#include <algorithm>
#include <cmath>
#include <limits>

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
  std::vector<FoundMatch> matches;
  matches.reserve(content.pictures.size());
  for (const IndexedPicture& picture : content.pictures) matches.push_back({&picture, scores[picture.vector]});
  const auto best = matches.begin() + static_cast<std::ptrdiff_t>(std::min(top, matches.size()));
  // Pictures lie in the order of their paths, so that their places settle ties.
  std::partial_sort(matches.begin(), best, matches.end(), [](const FoundMatch& a, const FoundMatch& b) {
    return a.score != b.score ? a.score > b.score : a.picture < b.picture;
  });
  matches.erase(best, matches.end());
  return matches;
}

}  // namespace tuwen_cli
