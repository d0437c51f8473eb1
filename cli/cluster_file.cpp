#include "cli/cluster_file.h"

#include <algorithm>
#include <numeric>

#include "cli/hashed_file.h"

namespace tuwen_cli {
namespace {

constexpr FileKind kKind = {"file of clusters", "tuwenclu", 1, "tuwen index --approximate",
                            "make it again with tuwen index --approximate"};

[[noreturn]] void damaged(const std::string& path, const std::string& field, const std::string& what) {
  fail_damaged(kKind, path, field, what);
}

// Which items belong to which group, as one list after the other: group g has items [starts[g], starts[g + 1]).
template <class Item>
struct Grouped {
  std::vector<uint64_t> starts;
  std::vector<Item> items;
};

// `group_of(i)` is the group of item(i), i < count; items keep their order within a group.
template <class Item, class GroupOf, class ItemOf>
Grouped<Item> grouped(size_t groups, size_t count, GroupOf group_of, ItemOf item) {
  Grouped<Item> result;
  result.starts.resize(groups + 1);
  for (size_t i = 0; i < count; ++i) ++result.starts[group_of(i) + 1];
  std::partial_sum(result.starts.begin(), result.starts.end(), result.starts.begin());
  std::vector<uint64_t> next(result.starts.begin(), result.starts.end() - 1);
  result.items.resize(count);
  for (size_t i = 0; i < count; ++i) result.items[next[group_of(i)]++] = item(i);
  return result;
}

// The next `count` values, where they lie.
template <class T>
std::span<const T> take(ByteReader& reader, uint64_t count) {
  if (count > reader.left() / sizeof(T)) return (reader.take(reader.left() + 1), std::span<const T>());
  const std::string_view bytes = reader.take(count * sizeof(T));
  return {reinterpret_cast<const T*>(bytes.data()), static_cast<size_t>(count)};
}

// Whether they lead from 0 to `end` and never back.
bool are_starts(std::span<const uint64_t> starts, uint64_t end) {
  return starts.front() == 0 && starts.back() == end && std::is_sorted(starts.begin(), starts.end());
}

}  // namespace

std::string clusters_path(const std::string& index_path) { return index_path + ".clusters"; }

void write_clusters(const std::string& index_path, const IndexFile& index, const Clusters& clusters) {
  const IndexContent& content = index.content();
  const size_t count = clusters.centres.size() / content.origin.dimension;
  const auto members = grouped<uint32_t>(
      count, clusters.cluster_of.size(), [&](size_t i) { return clusters.cluster_of[i]; },
      [](size_t i) { return static_cast<uint32_t>(i); });
  const auto places = grouped<uint64_t>(
      content.hashes.size(), content.pictures.size(), [&](size_t p) { return content.pictures[p].vector; },
      [&](size_t p) { return index.picture_places()[p]; });

  std::string head = file_start(kKind);
  append_number(head, static_cast<uint32_t>(content.origin.dimension));
  append_number(head, static_cast<uint64_t>(content.hashes.size()));
  append_number(head, static_cast<uint64_t>(content.pictures.size()));
  append_number(head, static_cast<uint64_t>(count));
  append_number(head, clusters.trained_on);
  append_number(head, content.origin.model);
  append_number(head, index.checksum());
  append_number(head, static_cast<uint64_t>(index.bytes().size()));
  append_padding(head);

  HashedFile file(clusters_path(index_path));
  file.write(head);
  file.write(bytes_of(std::span<const uint64_t>(members.starts)));
  file.write(bytes_of(std::span<const uint64_t>(places.starts)));
  file.write(bytes_of(std::span<const uint64_t>(places.items)));
  for (size_t at = 0; at < index.bytes().size(); at += kIndexPage) {
    const ContentHash hash = content_hash(index.bytes().substr(at, kIndexPage));
    file.write({reinterpret_cast<const char*>(hash.data()), hash.size()});
  }
  file.write(bytes_of(std::span<const float>(clusters.centres)));
  file.write(bytes_of(std::span<const float>(clusters.reaches)));
  file.write(bytes_of(std::span<const uint32_t>(members.items)));
  file.commit();
}

ClusterFile::ClusterFile(const std::string& index_path) : input_(clusters_path(index_path)) {
  const std::string path = clusters_path(index_path);
  const std::string_view covered = whole_content(kKind, path, input_.bytes());

  // The checksum holds; what follows is for files that somebody made.
  ByteReader reader = after_start(kKind, path, covered);
  dimension_ = reader.number<uint32_t>();
  const auto vectors = reader.number<uint64_t>(), pictures = reader.number<uint64_t>();
  const auto clusters = reader.number<uint64_t>();
  trained_on_ = reader.number<uint64_t>();
  model_ = reader.number<ContentHash>();
  index_checksum_ = reader.number<ContentHash>();
  index_bytes_ = reader.number<uint64_t>();
  skip_padding(reader);
  const uint64_t most = reader.left();  // of anything: each takes a byte or more
  if (!reader.ok() || vectors > most || pictures > most || clusters > most || dimension_ > most ||
      index_bytes_ > most * kIndexPage) {
    damaged(path, "header", "found sizes larger than the file's");
  }
  starts_ = take<uint64_t>(reader, clusters + 1);
  place_starts_ = take<uint64_t>(reader, vectors + 1);
  places_ = take<uint64_t>(reader, pictures);
  page_hashes_ = take<ContentHash>(reader, (index_bytes_ + kIndexPage - 1) / kIndexPage);
  centres_ = take<float>(reader, clusters * dimension_);
  reaches_ = take<float>(reader, clusters);
  members_ = take<uint32_t>(reader, vectors);
  if (!reader.ok() || reader.left() != 0) damaged(path, "size", "expected another, by its header");
  check(path);
}

void ClusterFile::check(const std::string& path) const {
  if (!are_starts(starts_, members_.size()) || !are_starts(place_starts_, places_.size())) {
    damaged(path, "starts", "expected ascending numbers");
  }
  const auto inside = [&](uint32_t vector) { return vector < members_.size(); };
  if (!std::all_of(members_.begin(), members_.end(), inside)) damaged(path, "members", "found one beyond the vectors");
  const auto in_index = [&](uint64_t place) { return place < index_bytes_; };
  if (!std::all_of(places_.begin(), places_.end(), in_index)) damaged(path, "places", "found one beyond the index");
}

}  // namespace tuwen_cli
