#include "cli/picture_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "cli/picture_walk.h"

namespace tuwen_cli {
namespace {

constexpr uint64_t kLargestFile = 33'554'432;  // bytes; the library's default limit, before anything is read
// A change this soon after another one may leave size and time as they are: file systems' clocks are coarse.
constexpr int64_t kSettledAfter = 3'000'000'000;  // nanoseconds

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string system_reason(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : value_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

// All of a file, and what it looked like before; an empty string, or why not.
std::string read_file(const std::string& path, std::string& bytes, SeenPicture& seen) {
  const Descriptor file(path);
  struct stat status = {};
  if (file.get() < 0 || fstat(file.get(), &status) != 0) return system_reason("cannot be opened");
  if (!S_ISREG(status.st_mode)) return "not a file";
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size > kLargestFile) {
    return "limit exceeded: file size: expected at most " + std::to_string(kLargestFile) + " bytes, found " +
           std::to_string(size);
  }
  bytes.resize(size);
  for (size_t done = 0; done < size;) {
    const ssize_t count = ::read(file.get(), bytes.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_reason("cannot be read");
    if (count == 0) return "became shorter while it was read";
    done += static_cast<size_t>(count);
  }
  seen.size = size;
  seen.modified = modified_at(status);
  if (now() - seen.modified < kSettledAfter) seen.modified = -1;
  seen.hash = content_hash(bytes);
  return {};
}

}  // namespace

PictureReader::PictureReader(std::string root, const std::vector<std::string>& paths, const tuwen::Model& model,
                             Known known)
    : root_(std::move(root)), paths_(paths), model_(model), known_(std::move(known)) {}

bool PictureReader::claim(const ContentHash& hash) {
  const std::lock_guard lock(mutex_);
  return known_.insert(hash).second;
}

ReadPicture PictureReader::read(size_t index) {
  ReadPicture picture;
  std::string bytes;
  picture.error = read_file(root_ + "/" + paths_[index], bytes, picture.seen);
  if (!picture.error.empty() || !claim(picture.seen.hash)) return picture;
  try {
    picture.pixels = pixels_of(model_, bytes);
  } catch (const Failure& failure) {
    picture.error = failure.what();
  }
  return picture;
}

}  // namespace tuwen_cli
