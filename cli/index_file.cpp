#include "cli/index_file.h"

#include <cstring>

#include "cli/hashed_file.h"

namespace tuwen_cli {
namespace {

constexpr uint32_t kLargestDimension = 65536;

[[noreturn]] void damaged(const std::string& path, const std::string& field, const std::string& what) {
  fail_damaged(kIndexKind, path, field, what);
}

}  // namespace

void write_index(const std::string& path, const IndexContent& content,
                 const std::function<std::span<const float>(size_t)>& vector_of) {
  HashedFile file(path);
  std::string head = file_start(kIndexKind);
  append_number(head, static_cast<uint32_t>(content.origin.dimension));
  append_number(head, static_cast<uint64_t>(content.hashes.size()));
  append_number(head, static_cast<uint64_t>(content.pictures.size()));
  append_number(head, content.origin.model);
  append_string(head, content.origin.precision);
  append_string(head, content.origin.model_name);
  append_string(head, content.origin.root);
  append_padding(head);
  file.write(head);
  for (size_t i = 0; i < content.hashes.size(); ++i) file.write(bytes_of(vector_of(i)));
  file.write(bytes_of(std::span<const ContentHash>(content.hashes)));
  std::string record;
  for (const IndexedPicture& picture : content.pictures) {
    record.clear();
    append_number(record, picture.size);
    append_number(record, picture.modified);
    append_number(record, picture.vector);
    append_string(record, picture.path);
    file.write(record);
  }
  file.commit();
}

IndexHead read_index_head(const std::string& path, std::string_view bytes) {
  ByteReader reader = after_start(kIndexKind, path, bytes);
  IndexHead head;
  IndexOrigin& origin = head.origin;
  origin.dimension = reader.number<uint32_t>();
  head.vectors = reader.number<uint64_t>();
  head.pictures = reader.number<uint64_t>();
  origin.model = reader.number<ContentHash>();
  origin.precision = reader.string();
  origin.model_name = reader.string();
  origin.root = reader.string();
  skip_padding(reader);
  if (!reader.ok()) damaged(path, "header", "it ends early");
  if (origin.dimension == 0 || origin.dimension > kLargestDimension) {
    damaged(path, "dimension", "found " + std::to_string(origin.dimension));
  }
  const size_t each = origin.dimension * sizeof(float) + sizeof(ContentHash);
  if (head.vectors > reader.left() / each) damaged(path, "vectors", "fewer than the header says");
  head.first_vector = reader.position();
  return head;
}

IndexedPicture read_indexed_picture(const std::string& path, const std::string& field, ByteReader& reader,
                                    uint64_t vectors) {
  IndexedPicture picture;
  picture.size = reader.number<uint64_t>();
  picture.modified = reader.number<int64_t>();
  picture.vector = reader.number<uint64_t>();
  picture.path = reader.string();
  const bool sound =
      reader.ok() && picture.vector < vectors && !picture.path.empty() && picture.path.find('\0') == std::string::npos;
  if (!sound) damaged(path, field, "found a record that makes no sense");
  return picture;
}

IndexFile::IndexFile(const std::string& path) : input_(path) {
  const std::string_view covered = whole_content(kIndexKind, path, input_.bytes());
  checksum_ = trailing_hash(kIndexKind, path, input_.bytes());

  // The checksum holds; what follows is for files that somebody made.
  const IndexHead head = read_index_head(path, covered);
  content_.origin = head.origin;
  ByteReader reader(covered);
  reader.take(head.first_vector);
  const std::string_view floats = reader.take(head.vectors * head.origin.dimension * sizeof(float));
  vectors_ = {reinterpret_cast<const float*>(floats.data()), floats.size() / sizeof(float)};
  content_.hashes.resize(head.vectors);
  const std::string_view hashes = reader.take(head.vectors * sizeof(ContentHash));
  if (head.vectors > 0) std::memcpy(content_.hashes.data(), hashes.data(), hashes.size());
  constexpr size_t kSmallestRecord = 3 * sizeof(uint64_t) + sizeof(uint32_t);
  if (head.pictures > reader.left() / kSmallestRecord) damaged(path, "pictures", "fewer than the header says");
  content_.pictures.reserve(head.pictures);
  picture_places_.reserve(head.pictures);
  for (uint64_t p = 0; p < head.pictures; ++p) {
    picture_places_.push_back(reader.position());
    content_.pictures.push_back(read_indexed_picture(path, "picture " + std::to_string(p), reader, head.vectors));
  }
  if (reader.left() != 0) damaged(path, "size", std::to_string(reader.left()) + " bytes too many");
}

}  // namespace tuwen_cli
