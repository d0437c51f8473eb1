#include "cli/index_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "cli/byte_reader.h"
#include "cli/cluster_file.h"
#include "cli/command.h"

namespace tuwen_cli {
namespace {

constexpr std::string_view kMagic = "tuwenjnl";
constexpr uint32_t kVersion = 1;
constexpr char kVector = 'V', kPicture = 'P';

std::string journal_path(const std::string& index_path) { return index_path + ".journal"; }

// Temporary files of OutputFile; nobody is writing one while the lock is held.
void remove_partial_files(const std::string& output_path) {
  const std::filesystem::path output(output_path);
  const std::string start = output.filename().string() + ".partial-";
  const auto folder = output.has_parent_path() ? output.parent_path() : std::filesystem::path(".");
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool numbered = name.size() > start.size() &&
                          std::all_of(name.begin() + static_cast<std::ptrdiff_t>(std::min(name.size(), start.size())),
                                      name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (name.starts_with(start) && numbered) std::filesystem::remove(entry.path(), ignored);
  }
}

std::string header_of(const IndexOrigin& origin) {
  std::string header(kMagic);
  append_number(header, kVersion);
  append_number(header, static_cast<uint32_t>(origin.dimension));
  append_number(header, origin.model);
  append_string(header, origin.precision);
  return header;
}

// Bytes of the records at the start of `bytes` that are whole; calls back for each.
size_t read_records(std::string_view bytes, size_t dimension, const IndexJournal::OnVector& on_vector,
                    const IndexJournal::OnPicture& on_picture) {
  ByteReader reader(bytes);
  std::vector<float> vector(dimension);
  for (size_t whole = 0;; whole = reader.position()) {
    const std::string_view payload = reader.string();
    const auto hash = reader.number<ContentHash>();
    if (!reader.ok() || payload.empty() || content_hash(payload) != hash) return whole;
    ByteReader record(payload);
    const char kind = record.number<char>();
    if (kind == kVector) {
      const auto of = record.number<ContentHash>();
      const std::string_view values = record.take(dimension * sizeof(float));
      if (!record.ok() || record.left() != 0) return whole;
      std::memcpy(vector.data(), values.data(), values.size());
      on_vector(of, vector);
    } else if (kind == kPicture) {
      SeenPicture picture;
      picture.size = record.number<uint64_t>();
      picture.modified = record.number<int64_t>();
      picture.hash = record.number<ContentHash>();
      const std::string_view path = record.string();
      if (!record.ok() || record.left() != 0) return whole;
      on_picture(path, picture);
    } else {
      return whole;
    }
  }
}

}  // namespace

IndexJournal::IndexJournal(const std::string& index_path) : path_(journal_path(index_path)) {
  for (;;) {
    descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail(std::string("cannot be written: ") + std::strerror(errno));
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      close(descriptor_);
      if (reason == EWOULDBLOCK) throw Failure(index_path + ": another process is indexing into it");
      fail(std::string("cannot be locked: ") + std::strerror(reason));
    }
    // A run that ended since it was opened has removed it, and somebody may have made another one.
    struct stat mine = {}, named = {};
    const bool same = fstat(descriptor_, &mine) == 0 && stat(path_.c_str(), &named) == 0 &&
                      mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
    if (same) break;
    close(descriptor_);
  }
  remove_partial_files(index_path);
  remove_partial_files(clusters_path(index_path));
}

IndexJournal::~IndexJournal() {
  if (descriptor_ < 0) return;
  struct stat status = {};
  // One without a record tells the next run nothing.
  if (fstat(descriptor_, &status) == 0 && status.st_size == 0) unlink(path_.c_str());
  close(descriptor_);
}

void IndexJournal::restore(const IndexOrigin& origin, const OnVector& on_vector, const OnPicture& on_picture) {
  std::string bytes;
  char part[1 << 16];
  for (ssize_t count; (count = read(descriptor_, part, sizeof part)) != 0;) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(std::string("cannot be read: ") + std::strerror(errno));
    bytes.append(part, static_cast<size_t>(count));
  }
  const std::string header = header_of(origin);
  size_t whole = 0;
  if (bytes.starts_with(header)) {
    const std::string_view records = std::string_view(bytes).substr(header.size());
    whole = header.size() + read_records(records, origin.dimension, on_vector, on_picture);
  } else if (bytes.size() >= header.size() || !header.starts_with(bytes)) {
    fail("belongs to an unfinished run with another model or precision; finish that one, or remove the file");
  }
  if (ftruncate(descriptor_, static_cast<off_t>(whole)) != 0 ||
      lseek(descriptor_, static_cast<off_t>(whole), SEEK_SET) < 0) {
    fail(std::string("cannot be written: ") + std::strerror(errno));
  }
  if (whole == 0) buffer_ = header;
}

void IndexJournal::add_record(std::string_view payload) {
  append_string(buffer_, payload);
  append_number(buffer_, content_hash(payload));
}

void IndexJournal::add_vector(const ContentHash& hash, std::span<const float> vector) {
  std::string payload(1, kVector);
  append_number(payload, hash);
  payload.append(reinterpret_cast<const char*>(vector.data()), vector.size_bytes());
  add_record(payload);
}

void IndexJournal::add_picture(std::string_view path, const SeenPicture& picture) {
  std::string payload(1, kPicture);
  append_number(payload, picture.size);
  append_number(payload, picture.modified);
  append_number(payload, picture.hash);
  append_string(payload, path);
  add_record(payload);
}

void IndexJournal::flush() {
  for (std::string_view rest = buffer_; !rest.empty();) {
    const ssize_t written = write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(std::string("cannot be written: ") + std::strerror(errno));
    rest.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
}

void IndexJournal::remove() {
  if (unlink(path_.c_str()) != 0) fail(std::string("cannot be removed: ") + std::strerror(errno));
  close(descriptor_);
  descriptor_ = -1;  // by now the name may be another run's
}

void IndexJournal::fail(const std::string& what) const { throw Failure(path_ + ": " + what); }

bool has_journal(const std::string& index_path) {
  struct stat status = {};
  return stat(journal_path(index_path).c_str(), &status) == 0 && status.st_size > 0;
}

}  // namespace tuwen_cli
