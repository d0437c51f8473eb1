// An index of which only what is asked for is read, by the clusters of its vectors.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cluster_file.h"
#include "cli/index_file.h"
#include "cli/mapped_input.h"

namespace tuwen_cli {

// Every page of the index is checked against its hash when it is first touched, so that what is handed out is what
// IndexFile would. For one thread at a time.
class ClusteredIndex {
 public:
  // Throws Failure if the index has no clusters, they were made of another state of it, or either is damaged.
  explicit ClusteredIndex(const std::string& path);

  const IndexOrigin& origin() const { return head_.origin; }
  uint64_t pictures() const { return head_.pictures; }
  const ClusterFile& clusters() const { return clusters_; }

  // Asks the operating system to read vectors, all at once, before they are used.
  void will_need(std::span<const uint32_t> vectors) const;
  // These throw Failure where the file is damaged.
  std::span<const float> vector(size_t i);
  IndexedPicture picture_at(uint64_t place);

 private:
  // bytes [begin, end) of the index, checked
  std::string_view checked(size_t begin, size_t end);

  std::string path_;
  ClusterFile clusters_;
  MappedInput input_;
  IndexHead head_;
  std::vector<bool> page_checked_;
};

}  // namespace tuwen_cli
