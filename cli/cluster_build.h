// Bringing the clusters of an index up to date with it.
#pragma once

#include <string>

#include "cli/command.h"
#include "cli/index_file.h"

namespace tuwen_cli {

struct ClusterReport {
  size_t clusters = 0;
  size_t assigned = 0;   // vectors whose nearest centre was looked for
  bool trained = false;  // whether centres were computed
};

// Makes INDEX.clusters that of the index at `index_path`. Centres are kept while the number of vectors is within a
// factor of two of what they were computed from; a vector that was in `before`, the index before (or null), keeps its
// cluster then. The session, of the index's model, multiplies. Throws Failure, and leaves what was there, if the user
// interrupts.
ClusterReport update_clusters(const std::string& index_path, const IndexFile* before, tuwen::Session& session,
                              bool quiet);

}  // namespace tuwen_cli
