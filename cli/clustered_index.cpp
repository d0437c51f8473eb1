#include "cli/clustered_index.h"

#include <sys/mman.h>

#include <algorithm>
#include <filesystem>

#include "cli/byte_reader.h"
#include "cli/command.h"

namespace tuwen_cli {
namespace {

constexpr const char* kRemedy = "run tuwen index --approximate";

ClusterFile clusters_of(const std::string& path) {
  if (!std::filesystem::exists(clusters_path(path)) && std::filesystem::exists(path)) {
    throw Failure(path + ": has no clusters to search by: " + kRemedy);
  }
  return ClusterFile(path);
}

}  // namespace

ClusteredIndex::ClusteredIndex(const std::string& path) : path_(path), clusters_(clusters_of(path)), input_(path) {
  const std::string_view bytes = input_.bytes();
  if (bytes.size() != clusters_.index_bytes() || trailing_hash(kIndexKind, path, bytes) != clusters_.index_checksum()) {
    throw Failure(clusters_path(path) + ": was made of another state of " + path + ": " + kRemedy);
  }
  page_checked_.resize(clusters_.page_hashes().size());
  madvise(const_cast<char*>(bytes.data()), bytes.size(), MADV_RANDOM);  // a hint: whatever it says is as well
  head_ = read_index_head(path, bytes);
  checked(0, head_.first_vector);
  if (head_.origin.dimension != clusters_.dimension() || head_.vectors != clusters_.vectors()) {
    throw Failure(clusters_path(path) + ": vectors: expected those of " + path + ", found others: " + kRemedy);
  }
}

std::string_view ClusteredIndex::checked(size_t begin, size_t end) {
  const std::string_view bytes = input_.bytes();
  for (size_t page = begin / kIndexPage; page * kIndexPage < end; ++page) {
    if (page_checked_[page]) continue;
    if (content_hash(bytes.substr(page * kIndexPage, kIndexPage)) != clusters_.page_hashes()[page]) {
      fail_damaged(kIndexKind, path_, "bytes from " + std::to_string(page * kIndexPage), "they have changed");
    }
    page_checked_[page] = true;
  }
  return bytes.substr(begin, end - begin);
}

void ClusteredIndex::will_need(std::span<const uint32_t> vectors) const {
  const size_t each = head_.origin.dimension * sizeof(float);
  char* const data = const_cast<char*>(input_.bytes().data());
  size_t begin = 0, end = 0;  // pages not asked for yet
  const auto ask = [&] {
    if (end > begin) madvise(data + begin * kIndexPage, (end - begin) * kIndexPage, MADV_WILLNEED);
  };
  for (const uint32_t vector : vectors) {
    const size_t at = head_.first_vector + vector * each;
    if (at / kIndexPage > end) {
      ask();
      begin = at / kIndexPage;
    }
    end = (at + each - 1) / kIndexPage + 1;
  }
  ask();
}

std::span<const float> ClusteredIndex::vector(size_t i) {
  const size_t each = head_.origin.dimension * sizeof(float), at = head_.first_vector + i * each;
  return {reinterpret_cast<const float*>(checked(at, at + each).data()), head_.origin.dimension};
}

IndexedPicture ClusteredIndex::picture_at(uint64_t place) {
  ByteReader reader(input_.bytes().substr(static_cast<size_t>(place)));
  const std::string field = "picture at byte " + std::to_string(place);
  IndexedPicture picture = read_indexed_picture(path_, field, reader, head_.vectors);
  checked(static_cast<size_t>(place), static_cast<size_t>(place) + reader.position());
  return picture;
}

}  // namespace tuwen_cli
