// Nearest pictures of an index.
#pragma once

#include <span>
#include <vector>

#include "cli/clustered_index.h"
#include "cli/command.h"
#include "cli/index_file.h"

namespace tuwen_cli {

struct FoundMatch {
  IndexedPicture picture;
  float score;  // cosine of picture and query, -1 to 1
};

// The `top` pictures that are nearest to the normalised `query`, nearest first, equal ones in the order of their paths.
// Compares the query with every vector, on the session's threads. The session's model is the index's.
std::vector<FoundMatch> search_exactly(tuwen::Session& session, float logit_scale, const IndexFile& index,
                                       std::span<const float> query, size_t top);

// Of those that lie in the `probes` clusters that will probably hold the best, or in as many more as hold kCandidates
// times as many vectors as are asked for; otherwise as search_exactly() does, with the same scores. Throws Failure
// where the index is damaged.
constexpr size_t kDefaultProbes = 64, kCandidates = 10;
std::vector<FoundMatch> search_approximately(tuwen::Session& session, float logit_scale, ClusteredIndex& index,
                                             std::span<const float> query, size_t top, size_t probes);

}  // namespace tuwen_cli
