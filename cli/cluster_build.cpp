#include "cli/cluster_build.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "cli/cluster_centres.h"
#include "cli/cluster_file.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

namespace tuwen_cli {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
constexpr size_t kMostVectors = std::numeric_limits<int32_t>::max();  // faiss counts them in an int
constexpr size_t kProductsAtOnce = size_t{1} << 20, kAssignedAtOnce = 4096;

// As many as make looking for the nearest ones about as much work as looking into them.
size_t clusters_for(size_t vectors) {
  return std::min(vectors, static_cast<size_t>(std::lround(2 * std::sqrt(static_cast<double>(vectors)))));
}

// What is there, if it is sound; what is not will be replaced.
std::unique_ptr<const ClusterFile> clusters_there(const std::string& index_path) try {
  return std::make_unique<ClusterFile>(index_path);
} catch (const Failure&) {
  return nullptr;
}

bool centres_fit(const ClusterFile& file, const IndexFile& index) {
  const size_t vectors = index.content().hashes.size();
  return file.model() == index.content().origin.model && file.dimension() == index.content().origin.dimension &&
         file.clusters() > 0 && vectors <= 2 * file.trained_on() && file.trained_on() <= 2 * vectors;
}

void find_nearest(tuwen::Session& session, size_t dimension, Progress& progress, std::span<const float> vectors,
                  std::span<const float> centres, std::span<uint32_t> nearest, std::span<float> products) {
  const size_t count = centres.size() / dimension, at_once = std::max(size_t{1}, kProductsAtOnce / count);
  std::vector<float> block(at_once * count);
  for (size_t first = 0; first < nearest.size(); first += at_once) {
    check_interrupt("the index is whole; its clusters were not written");
    const size_t some = std::min(at_once, nearest.size() - first);
    tuwen::check(tuwen_logits(session.get(), vectors.data() + first * dimension, some, centres.data(), count,
                              block.data(), nullptr));
    for (size_t i = 0; i < some; ++i) {
      const auto row = std::span(block).subspan(i * count, count);
      const auto best = std::max_element(row.begin(), row.end());
      nearest[first + i] = static_cast<uint32_t>(best - row.begin());
      products[first + i] = *best;
    }
    progress.advance(some);
  }
}

// The clusters that vectors had in `before`; both lists of hashes ascend. kNone where it was not there.
std::vector<uint32_t> known_clusters(const ClusterFile& file, const IndexFile& before, const IndexFile& index) {
  std::vector<uint32_t> of_before(file.vectors());
  for (size_t c = 0; c < file.clusters(); ++c) {
    for (const uint32_t vector : file.members(c)) of_before[vector] = static_cast<uint32_t>(c);
  }
  const std::vector<ContentHash>&old = before.content().hashes, &hashes = index.content().hashes;
  std::vector<uint32_t> known(hashes.size(), kNone);
  for (size_t i = 0, o = 0; i < hashes.size(); ++i) {
    while (o < old.size() && old[o] < hashes[i]) ++o;
    if (o < old.size() && old[o] == hashes[i]) known[i] = of_before[o];
  }
  return known;
}

// Those that have none get the cluster whose centre is nearest. Returns how many these were.
size_t assign_new(const IndexFile& index, Clusters& clusters, const NearestCentre& nearest) {
  std::vector<size_t> without;
  for (size_t i = 0; i < clusters.cluster_of.size(); ++i) {
    if (clusters.cluster_of[i] == kNone) without.push_back(i);
  }
  std::vector<float> rows, products(kAssignedAtOnce);
  std::vector<uint32_t> found(kAssignedAtOnce);
  for (size_t first = 0; first < without.size(); first += kAssignedAtOnce) {
    const auto some = std::span(without).subspan(first, std::min(kAssignedAtOnce, without.size() - first));
    rows.clear();
    for (const size_t i : some) rows.insert(rows.end(), index.vector(i).begin(), index.vector(i).end());
    nearest(rows, clusters.centres, std::span(found).first(some.size()), std::span(products).first(some.size()));
    for (size_t i = 0; i < some.size(); ++i) clusters.cluster_of[some[i]] = found[i];
  }
  return without.size();
}

// Of each cluster the mean product of its members and its centre: how far its mean reaches into the centre's direction.
std::vector<float> mean_products(const IndexFile& index, const Clusters& clusters) {
  const size_t dimension = index.content().origin.dimension, count = clusters.centres.size() / dimension;
  std::vector<double> sums(count), members(count);
  for (size_t i = 0; i < clusters.cluster_of.size(); ++i) {
    const size_t c = clusters.cluster_of[i];
    const auto vector = index.vector(i);
    sums[c] += std::inner_product(vector.begin(), vector.end(),
                                  clusters.centres.begin() + static_cast<std::ptrdiff_t>(c * dimension), 0.0);
    members[c] += 1;
  }
  std::vector<float> means(count);
  for (size_t c = 0; c < count; ++c) means[c] = members[c] > 0 ? static_cast<float>(sums[c] / members[c]) : 0.0f;
  return means;
}

}  // namespace

ClusterReport update_clusters(const std::string& index_path, const IndexFile* before, tuwen::Session& session,
                              bool quiet) {
  const IndexFile index(index_path);
  const size_t vectors = index.content().hashes.size(), dimension = index.content().origin.dimension;
  if (vectors > kMostVectors) throw Failure(index_path + ": too many vectors for clusters");
  ClusterReport report;
  const std::unique_ptr<const ClusterFile> there = clusters_there(index_path);
  if (there && there->index_checksum() == index.checksum()) {
    report.clusters = there->clusters();
    return report;
  }
  Clusters clusters;
  std::vector<uint32_t>& cluster_of = clusters.cluster_of;
  cluster_of.assign(vectors, kNone);
  report.trained = vectors > 0 && !(there && centres_fit(*there, index));
  report.clusters = report.trained ? clusters_for(vectors) : vectors > 0 ? there->clusters() : 0;
  const size_t rounds = report.trained ? kTrainingRounds : 0;
  Progress progress(vectors + rounds * std::min(vectors, kTrainingVectors * report.clusters), "vectors", quiet);
  const NearestCentre nearest = [&](std::span<const float> of, std::span<const float> centres,
                                    std::span<uint32_t> numbers, std::span<float> products) {
    find_nearest(session, dimension, progress, of, centres, numbers, products);
  };
  if (report.trained) {
    clusters.centres = cluster_centres(index.vectors(), dimension, report.clusters, nearest);
    clusters.trained_on = vectors;
  } else if (vectors > 0) {
    clusters.centres.assign(there->centres().begin(), there->centres().end());
    clusters.trained_on = there->trained_on();
    if (before != nullptr && there->index_checksum() == before->checksum()) {
      cluster_of = known_clusters(*there, *before, index);
    }
  }
  report.assigned = assign_new(index, clusters, nearest);
  clusters.reaches = mean_products(index, clusters);
  write_clusters(index_path, index, clusters);
  return report;
}

}  // namespace tuwen_cli
