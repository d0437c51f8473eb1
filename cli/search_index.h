// Nearest pictures of an index.
#pragma once

#include <span>
#include <vector>

#include "cli/command.h"
#include "cli/index_file.h"

namespace tuwen_cli {

struct FoundMatch {
  const IndexedPicture* picture;
  float score;  // cosine of picture and query, -1 to 1
};

// The `top` pictures that are nearest to the normalised `query`, nearest first, equal ones in the order of their paths.
// Compares the query with every vector, on the session's threads. The session's model is the index's.
std::vector<FoundMatch> search_exactly(tuwen::Session& session, float logit_scale, const IndexFile& index,
                                       std::span<const float> query, size_t top);

}  // namespace tuwen_cli
