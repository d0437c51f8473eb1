// The file that `tuwen index` writes and `tuwen search` reads. docs/search.md gives its layout.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/byte_reader.h"
#include "cli/content_hash.h"
#include "cli/hashed_file.h"
#include "cli/mapped_input.h"

namespace tuwen_cli {

// A run does not replace a damaged one by itself: all pictures would be encoded again without a word.
constexpr FileKind kIndexKind = {"index", "tuwenidx", 1, "tuwen index", "remove it and make it again with tuwen index"};

// What all vectors of an index have in common.
struct IndexOrigin {
  ContentHash model = {};  // model_identity()
  std::string precision;   // of the model's arithmetic: "f32", "bf16", "int8"
  size_t dimension = 0;
  std::string model_name;  // where the model was: an absolute path, or what else names one
  std::string root;        // the folder that was indexed, an absolute path
};

// A picture: where it is, what it looked like when it was read, and which vector is its own.
struct IndexedPicture {
  std::string path;       // below the root, "/" between folders; any bytes but zero
  uint64_t size = 0;      // bytes
  int64_t modified = -1;  // nanoseconds since 1970; -1: read so soon after a change that the next run reads it again
  uint64_t vector = 0;
};

// Everything that is in one but the vectors.
struct IndexContent {
  IndexOrigin origin;
  std::vector<IndexedPicture> pictures;  // in the order of their paths' bytes
  std::vector<ContentHash> hashes;       // one a vector, ascending: of the file that it was computed from
};

// What stands before the vectors.
struct IndexHead {
  IndexOrigin origin;
  uint64_t vectors = 0, pictures = 0;
  size_t first_vector = 0;  // its place in the file
};

// Of a file that begins with `bytes`. Throws Failure naming `path` where it makes no sense.
IndexHead read_index_head(const std::string& path, std::string_view bytes);

// The record that comes next. Throws Failure naming `path` and `field` where it makes no sense.
IndexedPicture read_indexed_picture(const std::string& path, const std::string& field, ByteReader& reader,
                                    uint64_t vectors);

// Puts an index in place of what was at `path`, whole or not at all. vector_of(i) is the normalised one that belongs to
// hashes[i]. The same content gives the same bytes.
void write_index(const std::string& path, const IndexContent& content,
                 const std::function<std::span<const float>(size_t)>& vector_of);

// An index, checked from its first byte to its last and mapped into memory. It stays as it is when a newer one takes
// its place. Throws Failure naming the file, and where, if it is not a whole and sound one. Immutable.
class IndexFile {
 public:
  explicit IndexFile(const std::string& path);

  const IndexContent& content() const { return content_; }
  std::span<const float> vectors() const { return vectors_; }  // [hashes, dimension]
  std::span<const float> vector(size_t i) const {
    return vectors_.subspan(i * content_.origin.dimension, content_.origin.dimension);
  }
  // Of all that is in it.
  const ContentHash& checksum() const { return checksum_; }
  // The file, and where the record of each picture begins in it.
  std::string_view bytes() const { return input_.bytes(); }
  const std::vector<uint64_t>& picture_places() const { return picture_places_; }

 private:
  MappedInput input_;
  IndexContent content_;
  std::vector<uint64_t> picture_places_;
  std::span<const float> vectors_;
  ContentHash checksum_ = {};
};

}  // namespace tuwen_cli
