#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace tw {
namespace {

constexpr size_t kPathInMessages = 512;  // bytes

std::string system_message(int error) { return std::generic_category().message(error); }

[[noreturn]] void fail(ErrorCode code, const std::string& path, const std::string& note) {
  throw Error(code, {.file = path, .note = note});
}

bool same_time(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

File File::open(const std::filesystem::path& path) {
  std::string shown = printable(path.native(), kPathInMessages);
  // O_NONBLOCK: opening a pipe that nobody writes to returns at once, and is then refused below.
  int descriptor;
  do {
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) fail(ErrorCode::io_error, shown, "cannot open: " + system_message(errno));

  File file(descriptor, std::move(shown));
  struct stat status;
  if (::fstat(descriptor, &status) != 0) fail(ErrorCode::io_error, file.path_, system_message(errno));
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::io_error, {.file = file.path_,
                                      .expected = "a regular file",
                                      .found = S_ISDIR(status.st_mode) ? "a directory" : "a device, pipe or socket"});
  }
  file.size_ = status.st_size;
  file.modified_ = status.st_mtim;
  return file;
}

File File::over(std::span<const std::byte> bytes, std::string name) {
  File file(-1, std::move(name));
  file.memory_ = bytes.data();
  file.size_ = static_cast<int64_t>(bytes.size());
  return file;
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      memory_(other.memory_),
      size_(other.size_),
      modified_(other.modified_),
      path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  std::swap(modified_, other.modified_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void File::read_at(int64_t offset, std::span<std::byte> out) const {
  if (descriptor_ < 0) {
    if (out.empty()) return;
    if (offset < 0 || offset > size_ || static_cast<int64_t>(out.size()) > size_ - offset) {
      throw Error(ErrorCode::truncated,
                  {.file = path_,
                   .expected = std::to_string(out.size()) + " bytes from byte " + std::to_string(offset),
                   .found = std::to_string(size_) + " in all"});
    }
    std::memcpy(out.data(), memory_ + offset, out.size());
    return;
  }
  constexpr size_t kMostAtOnce = size_t{1} << 30;  // Linux itself transfers at most 2 GiB - 4 KiB a call
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor_, out.data(), std::min(out.size(), kMostAtOnce), offset);
    if (got < 0) {
      if (errno == EINTR) continue;
      fail(ErrorCode::io_error, path_, "read failed: " + system_message(errno));
    }
    if (got == 0) {
      throw Error(ErrorCode::truncated, {.file = path_,
                                         .expected = std::to_string(out.size()) + " more bytes",
                                         .found = "end of file at byte " + std::to_string(offset)});
    }
    offset += got;
    out = out.subspan(static_cast<size_t>(got));
  }
}

void File::check_unchanged() const {
  if (descriptor_ < 0) return;
  struct stat status;
  if (::fstat(descriptor_, &status) != 0) fail(ErrorCode::io_error, path_, system_message(errno));
  if (status.st_size != size_ || !same_time(status.st_mtim, modified_))
    fail(ErrorCode::io_error, path_, "the file was changed while it was being read");
}

std::string read_whole(const std::filesystem::path& path, int64_t limit) {
  const File file = File::open(path);
  if (file.size() > limit) {
    throw Error(ErrorCode::limit_exceeded, {.file = file.path(),
                                            .expected = "at most " + std::to_string(limit) + " bytes",
                                            .found = std::to_string(file.size())});
  }
  std::string content(static_cast<size_t>(file.size()), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(content)));
  return content;
}

}  // namespace tw
