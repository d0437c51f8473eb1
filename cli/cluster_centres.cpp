#include "cli/cluster_centres.h"

#include "cli/command.h"

#ifdef TUWEN_WITH_FAISS
#include <faiss/Clustering.h>
#include <faiss/impl/FaissException.h>
#endif

namespace tuwen_cli {

#ifdef TUWEN_WITH_FAISS
namespace {

// What faiss asks for the nearest centres: NearestCentre in the place of its own products, which are the BLAS's.
class CentreIndex : public faiss::Index {
 public:
  CentreIndex(size_t dimension, const NearestCentre& nearest)
      : Index(static_cast<int>(dimension), faiss::METRIC_INNER_PRODUCT), nearest_(nearest) {}

  void add(int64_t count, const float* centres) override {
    centres_.insert(centres_.end(), centres, centres + count * d);
    ntotal += count;
  }
  void reset() override {
    centres_.clear();
    ntotal = 0;
  }
  void search(int64_t count, const float* vectors, int64_t, float* products, int64_t* labels,
              const faiss::SearchParameters*) const override {
    const auto n = static_cast<size_t>(count);
    std::vector<uint32_t> nearest(n);
    nearest_({vectors, n * static_cast<size_t>(d)}, centres_, nearest, {products, n});
    for (size_t i = 0; i < n; ++i) labels[i] = static_cast<int64_t>(nearest[i]);
  }

 private:
  const NearestCentre& nearest_;
  std::vector<float> centres_;
};

}  // namespace

std::vector<float> cluster_centres(std::span<const float> vectors, size_t dimension, size_t count,
                                   const NearestCentre& nearest) try {
  faiss::ClusteringParameters parameters;
  parameters.niter = static_cast<int>(kTrainingRounds);
  parameters.spherical = true;
  parameters.seed = 1;
  parameters.min_points_per_centroid = 1;  // fewer vectors than faiss would like are no mistake here
  parameters.max_points_per_centroid = static_cast<int>(kTrainingVectors);
  faiss::Clustering clustering(static_cast<int>(dimension), static_cast<int>(count), parameters);
  CentreIndex index(dimension, nearest);
  clustering.train(static_cast<int64_t>(vectors.size() / dimension), vectors.data(), index);
  return std::move(clustering.centroids);
} catch (const faiss::FaissException& error) {
  throw Failure(std::string("the vectors cannot be clustered: ") + error.what());
}
#else
std::vector<float> cluster_centres(std::span<const float>, size_t, size_t, const NearestCentre&) {
  throw Failure(
      "this build of tuwen makes no clusters for --approximate; build it where faiss is (Debian: libfaiss-dev)");
}
#endif

}  // namespace tuwen_cli
