// Where vectors gather: spherical k-means, by faiss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace tuwen_cli {

// For each of `vectors` [n, dimension] the number of the nearest of `centres` [m, dimension], and their product.
using NearestCentre = std::function<void(std::span<const float> vectors, std::span<const float> centres,
                                         std::span<uint32_t> nearest, std::span<float> products)>;

// How many vectors are looked at, at most, to find `count` centres, and how many times.
constexpr size_t kTrainingVectors = 50, kTrainingRounds = 10;

// `count` centres [count, dimension], each of length 1, of `vectors` [n, dimension] of length 1; 1 <= count <= n. A
// sample of kTrainingVectors * count of them decides. The same vectors give the same centres as long as `nearest` does.
// Throws Failure if this build has no faiss or a vector is not finite; what `nearest` throws passes through.
std::vector<float> cluster_centres(std::span<const float> vectors, size_t dimension, size_t count,
                                   const NearestCentre& nearest);

}  // namespace tuwen_cli
