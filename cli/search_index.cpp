#include "cli/search_index.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/nearest.h"

namespace tuwen_cli {
namespace {

constexpr size_t kComparedAtOnce = 4096;

// A picture by where its record begins in the index.
struct Place {
  float score;
  uint64_t place;
};

// Of `rows` [n, dimension] and the query, on the session's threads.
std::vector<float> cosines(tuwen::Session& session, float logit_scale, std::span<const float> rows,
                           std::span<const float> query) {
  std::vector<float> scores(rows.size() / query.size());
  if (!scores.empty()) {
    tuwen::check(tuwen_logits(session.get(), rows.data(), scores.size(), query.data(), 1, scores.data(), nullptr));
  }
  for (float& score : scores) {
    score /= logit_scale;
    if (std::isnan(score)) score = -std::numeric_limits<float>::infinity();  // a made-up file's; sorting needs an order
  }
  return scores;
}

// What the best of each cluster will probably score. Its members lie around its mean, `reach` along the centre; what is
// left of their length (1) is taken to point anywhere. Of n normal numbers the largest is about sqrt(2 ln n) deviations
// above the mean. Without that term small clusters, whose means are long, would come before the large ones in which the
// best are: texts lie to one side of all pictures, and hardly any centre is nearer to them than others.
std::vector<float> expected_best(const ClusterFile& clusters, std::span<const float> products_with_centres) {
  std::vector<float> expected(products_with_centres.size());
  for (size_t c = 0; c < expected.size(); ++c) {
    const auto members = static_cast<double>(clusters.members(c).size());
    const double reach = clusters.reaches()[c];
    const double variance = std::max(0.0, 1 - reach * reach) / static_cast<double>(clusters.dimension());
    const double best =
        members > 0 ? products_with_centres[c] * reach + std::sqrt(variance * 2 * std::log(members)) : -2.0;
    expected[c] = std::isnan(best) ? -2.0f : static_cast<float>(best);  // a made-up file's
  }
  return expected;
}

// The vectors to compare with the query, ascending: those of the clusters that will probably hold the best.
std::vector<uint32_t> candidates_for(tuwen::Session& session, float logit_scale, const ClusteredIndex& index,
                                     std::span<const float> query, size_t top, size_t probes) {
  const ClusterFile& clusters = index.clusters();
  const std::vector<float> scores = expected_best(clusters, cosines(session, logit_scale, clusters.centres(), query));
  std::vector<uint32_t> candidates;
  size_t looked_into = 0;
  for (const size_t cluster : largest(scores, scores.size())) {
    if (looked_into++ >= probes && candidates.size() / kCandidates >= top) break;
    const auto members = clusters.members(cluster);
    candidates.insert(candidates.end(), members.begin(), members.end());
  }
  std::sort(candidates.begin(), candidates.end());
  return candidates;
}

}  // namespace

std::vector<FoundMatch> search_exactly(tuwen::Session& session, float logit_scale, const IndexFile& index,
                                       std::span<const float> query, size_t top) {
  const IndexContent& content = index.content();
  const std::vector<float> scores = cosines(session, logit_scale, index.vectors(), query);
  // Pictures lie in the order of their paths, so that their places settle ties.
  std::vector<float> of_pictures;
  of_pictures.reserve(content.pictures.size());
  for (const IndexedPicture& picture : content.pictures) of_pictures.push_back(scores[picture.vector]);
  std::vector<FoundMatch> matches;
  for (const size_t i : largest(of_pictures, top)) matches.push_back({content.pictures[i], of_pictures[i]});
  return matches;
}

std::vector<FoundMatch> search_approximately(tuwen::Session& session, float logit_scale, ClusteredIndex& index,
                                             std::span<const float> query, size_t top, size_t probes) {
  const std::vector<uint32_t> candidates = candidates_for(session, logit_scale, index, query, top, probes);
  index.will_need(candidates);
  std::vector<Place> places;
  std::vector<float> rows;
  for (size_t first = 0; first < candidates.size(); first += kComparedAtOnce) {
    const auto some = std::span(candidates).subspan(first, std::min(kComparedAtOnce, candidates.size() - first));
    rows.clear();
    for (const uint32_t i : some) rows.insert(rows.end(), index.vector(i).begin(), index.vector(i).end());
    const std::vector<float> scores = cosines(session, logit_scale, rows, query);
    for (size_t i = 0; i < some.size(); ++i) {
      for (const uint64_t place : index.clusters().places(some[i])) places.push_back({scores[i], place});
    }
  }
  const size_t kept = std::min(places.size(), top);
  const auto end = places.begin() + static_cast<std::ptrdiff_t>(kept);
  std::partial_sort(places.begin(), end, places.end(), [](const Place& a, const Place& b) {
    return a.score != b.score ? a.score > b.score : a.place < b.place;  // records lie in the order of their paths
  });
  places.resize(kept);
  std::vector<FoundMatch> matches;
  for (const Place& place : places) matches.push_back({index.picture_at(place.place), place.score});
  return matches;
}

}  // namespace tuwen_cli
