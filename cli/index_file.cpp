#include "cli/index_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "cli/byte_reader.h"
#include "cli/command.h"
#include "cli/output_file.h"

namespace tuwen_cli {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

constexpr std::string_view kMagic = "tuwenidx";
constexpr uint32_t kVersion = 1;
constexpr size_t kVectorAlignment = 64;
constexpr uint32_t kLargestDimension = 65536;

size_t padding_at(size_t position) { return (kVectorAlignment - position % kVectorAlignment) % kVectorAlignment; }

// Bytes that go into a file and into the hash that ends it.
class HashedFile {
 public:
  explicit HashedFile(const std::string& path) : file_(path) {}
  void write(std::string_view bytes) {
    file_.write(bytes);
    hasher_.add(bytes);
    position_ += bytes.size();
  }
  size_t position() const { return position_; }
  void commit() {
    const ContentHash hash = hasher_.finish();
    file_.write({reinterpret_cast<const char*>(hash.data()), hash.size()});
    file_.commit();
  }

 private:
  OutputFile file_;
  ContentHasher hasher_;
  size_t position_ = 0;
};

template <class T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

[[noreturn]] void fail(const std::string& path, const std::string& what) { throw Failure(path + ": " + what); }

[[noreturn]] void damaged(const std::string& path, const std::string& field, const std::string& what) {
  fail(path, "damaged index: " + field + ": " + what + "; make it again with tuwen index");
}

}  // namespace

void write_index(const std::string& path, const IndexContent& content,
                 const std::function<std::span<const float>(size_t)>& vector_of) {
  HashedFile file(path);
  std::string head(kMagic);
  append_number(head, kVersion);
  append_number(head, static_cast<uint32_t>(content.origin.dimension));
  append_number(head, static_cast<uint64_t>(content.hashes.size()));
  append_number(head, static_cast<uint64_t>(content.pictures.size()));
  append_number(head, content.origin.model);
  append_string(head, content.origin.precision);
  append_string(head, content.origin.model_name);
  append_string(head, content.origin.root);
  head.append(padding_at(head.size()), '\0');
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

IndexFile::IndexFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status = {};
  if (descriptor < 0 || fstat(descriptor, &status) != 0) {
    const int reason = errno;
    if (descriptor >= 0) close(descriptor);
    fail(path, std::string("cannot be opened: ") + std::strerror(reason));
  }
  size_ = static_cast<size_t>(status.st_size);
  const bool is_file = S_ISREG(status.st_mode);
  if (is_file && size_ > 0) mapping_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int reason = errno;
  close(descriptor);
  if (!is_file) fail(path, "not an index: expected a file");
  if (mapping_ == MAP_FAILED) {
    mapping_ = nullptr;
    fail(path, std::string("cannot be read: ") + std::strerror(reason));
  }
  try {
    parse(path, {static_cast<const char*>(mapping_), size_});
  } catch (...) {
    if (mapping_ != nullptr) munmap(mapping_, size_);
    throw;
  }
}

IndexFile::~IndexFile() {
  if (mapping_ != nullptr) munmap(mapping_, size_);
}

void IndexFile::parse(const std::string& path, std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) fail(path, "not an index: expected a file that tuwen index has written");
  ByteReader reader(bytes);
  reader.take(kMagic.size());
  const auto version = reader.number<uint32_t>();
  if (reader.ok() && version != kVersion) {
    fail(path, "format version: expected " + std::to_string(kVersion) + ", found " + std::to_string(version));
  }
  if (bytes.size() < kMagic.size() + checksum_.size()) damaged(path, "size", "it ends early");
  const std::string_view covered = bytes.substr(0, bytes.size() - checksum_.size());
  std::memcpy(checksum_.data(), bytes.data() + covered.size(), checksum_.size());
  if (content_hash(covered) != checksum_) damaged(path, "checksum", "it is cut short, or bytes have changed");

  // The checksum holds; what follows is for files that somebody made.
  reader = ByteReader(covered);
  reader.take(kMagic.size() + sizeof kVersion);
  IndexOrigin& origin = content_.origin;
  origin.dimension = reader.number<uint32_t>();
  const auto vectors = reader.number<uint64_t>(), pictures = reader.number<uint64_t>();
  origin.model = reader.number<ContentHash>();
  origin.precision = reader.string();
  origin.model_name = reader.string();
  origin.root = reader.string();
  reader.take(padding_at(reader.position()));
  if (!reader.ok()) damaged(path, "header", "it ends early");
  if (origin.dimension == 0 || origin.dimension > kLargestDimension) {
    damaged(path, "dimension", "found " + std::to_string(origin.dimension));
  }
  const size_t each = origin.dimension * sizeof(float);
  if (vectors > reader.left() / (each + sizeof(ContentHash))) damaged(path, "vectors", "fewer than the header says");
  const std::string_view floats = reader.take(vectors * each);
  vectors_ = {reinterpret_cast<const float*>(floats.data()), floats.size() / sizeof(float)};
  content_.hashes.resize(vectors);
  const std::string_view hashes = reader.take(vectors * sizeof(ContentHash));
  if (vectors > 0) std::memcpy(content_.hashes.data(), hashes.data(), hashes.size());
  constexpr size_t kSmallestRecord = 3 * sizeof(uint64_t) + sizeof(uint32_t);
  if (pictures > reader.left() / kSmallestRecord) damaged(path, "pictures", "fewer than the header says");
  content_.pictures.reserve(pictures);
  for (uint64_t p = 0; p < pictures; ++p) {
    IndexedPicture picture;
    picture.size = reader.number<uint64_t>();
    picture.modified = reader.number<int64_t>();
    picture.vector = reader.number<uint64_t>();
    picture.path = reader.string();
    const bool sound = reader.ok() && picture.vector < vectors && !picture.path.empty() &&
                       picture.path.find('\0') == std::string::npos;
    if (!sound) damaged(path, "picture " + std::to_string(p), "found a record that makes no sense");
    content_.pictures.push_back(std::move(picture));
  }
  if (reader.left() != 0) damaged(path, "size", std::to_string(reader.left()) + " bytes too many");
}

}  // namespace tuwen_cli
