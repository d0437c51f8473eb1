#include "io/file_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace tw {
namespace {

constexpr size_t kBufferBytes = 256 << 10;

// Writes all of `bytes` at `offset`; returns 0 or the error number.
int write_all(int descriptor, int64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(descriptor, bytes.data(), bytes.size(), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return done < 0 ? errno : EIO;
    bytes.remove_prefix(static_cast<size_t>(done));
    offset += done;
  }
  return 0;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

FileWriter::FileWriter(const std::filesystem::path& path) : target_(path), shown_(printable(path.native(), 512)) {
  struct stat status;
  if (::stat(target_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::io_error,
                {.file = shown_, .expected = "a name for a regular file", .found = "something else of that name"});
  }
  // Replaces what a symbolic link points to, not the link.
  std::error_code error;
  if (std::filesystem::is_symlink(target_, error)) {
    const std::filesystem::path resolved = std::filesystem::weakly_canonical(target_, error);
    if (error) fail("cannot resolve the link", error.value());
    target_ = resolved;
  }
  for (int attempt = 0; attempt < 100 && descriptor_ < 0; ++attempt) {
    temporary_ = target_;
    temporary_ += ".part-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST && errno != EINTR) break;
  }
  if (descriptor_ < 0) fail("cannot create", errno);
  buffer_.reserve(kBufferBytes);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      written_(other.written_),
      buffer_(std::move(other.buffer_)),
      target_(std::move(other.target_)),
      temporary_(std::move(other.temporary_)),
      shown_(std::move(other.shown_)) {}

FileWriter& FileWriter::operator=(FileWriter&& other) noexcept {
  if (this != &other) {
    abandon();
    descriptor_ = std::exchange(other.descriptor_, -1);
    written_ = other.written_;
    buffer_ = std::move(other.buffer_);
    target_ = std::move(other.target_);
    temporary_ = std::move(other.temporary_);
    shown_ = std::move(other.shown_);
  }
  return *this;
}

FileWriter::~FileWriter() { abandon(); }

void FileWriter::abandon() {
  if (descriptor_ < 0) return;
  ::close(std::exchange(descriptor_, -1));
  ::unlink(temporary_.c_str());
}

void FileWriter::fail(const std::string& action, int error) const {
  throw Error(ErrorCode::io_error, {.file = shown_, .note = action + ": " + std::generic_category().message(error)});
}

void FileWriter::flush() {
  if (const int error = write_all(descriptor_, written_, buffer_)) fail("cannot write", error);
  written_ += static_cast<int64_t>(buffer_.size());
  buffer_.clear();
}

void FileWriter::write(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() < kBufferBytes) {
    buffer_.append(as_text(bytes));
    return;
  }
  if (const int error = write_all(descriptor_, written_, as_text(bytes))) fail("cannot write", error);
  written_ += static_cast<int64_t>(bytes.size());
}

void FileWriter::write_at(int64_t offset, std::span<const std::byte> bytes) {
  flush();
  if (offset < 0 || static_cast<int64_t>(bytes.size()) > written_ - offset)
    throw Error(ErrorCode::internal, {.file = shown_, .note = "write_at beyond what is written"});
  if (const int error = write_all(descriptor_, offset, as_text(bytes))) fail("cannot write", error);
}

void FileWriter::commit() {
  flush();
  if (::fsync(descriptor_) != 0) fail("cannot write", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot rename", errno);
  ::close(std::exchange(descriptor_, -1));
}

}  // namespace tw
