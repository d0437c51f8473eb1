// The file INDEX.clusters, which `tuwen index --approximate` writes beside an index: which vectors are near each other,
// and what is needed to read a part of the index and no more. docs/search.md gives its layout.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/content_hash.h"
#include "cli/index_file.h"
#include "cli/mapped_input.h"

namespace tuwen_cli {

// Bytes of the index that are checked as one.
constexpr size_t kIndexPage = 4096;

// The vectors of an index in clusters.
struct Clusters {
  uint64_t trained_on = 0;           // how many vectors there were when the centres were computed
  std::vector<float> centres;        // [clusters, dimension], each of length 1
  std::vector<float> reaches;        // [clusters]: members times centre, on average
  std::vector<uint32_t> cluster_of;  // one a vector
};

std::string clusters_path(const std::string& index_path);

// Puts the clusters of `index` in place, whole or not at all. The same content gives the same bytes.
void write_clusters(const std::string& index_path, const IndexFile& index, const Clusters& clusters);

// Checked from its first byte to its last, and mapped into memory. Throws Failure naming the file, and where, if it is
// not a whole and sound one. Immutable.
class ClusterFile {
 public:
  explicit ClusterFile(const std::string& index_path);

  // What it was made of.
  const ContentHash& index_checksum() const { return index_checksum_; }
  const ContentHash& model() const { return model_; }
  size_t dimension() const { return dimension_; }
  uint64_t index_bytes() const { return index_bytes_; }
  uint64_t vectors() const { return members_.size(); }
  uint64_t trained_on() const { return trained_on_; }

  size_t clusters() const { return starts_.size() - 1; }
  std::span<const float> centres() const { return centres_; }  // [clusters, dimension], each of length 1
  std::span<const float> reaches() const { return reaches_; }  // [clusters]
  // The vectors of a cluster, ascending.
  std::span<const uint32_t> members(size_t cluster) const {
    return members_.subspan(starts_[cluster], starts_[cluster + 1] - starts_[cluster]);
  }
  // Where the records of the pictures of a vector begin in the index, ascending.
  std::span<const uint64_t> places(size_t vector) const {
    return places_.subspan(place_starts_[vector], place_starts_[vector + 1] - place_starts_[vector]);
  }
  // Of each kIndexPage bytes of the index; the last one may be shorter.
  std::span<const ContentHash> page_hashes() const { return page_hashes_; }

 private:
  void check(const std::string& path) const;

  MappedInput input_;
  ContentHash index_checksum_ = {}, model_ = {};
  size_t dimension_ = 0;
  uint64_t index_bytes_ = 0, trained_on_ = 0;
  std::span<const uint64_t> starts_, place_starts_, places_;
  std::span<const ContentHash> page_hashes_;
  std::span<const float> centres_, reaches_;
  std::span<const uint32_t> members_;
};

}  // namespace tuwen_cli
