#include "cli/picture_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <utility>

#include "cli/picture_walk.h"

namespace tuwen_cli {
namespace {

constexpr size_t kPixelsAhead = 32, kResultsAhead = 4096;
constexpr uint64_t kLargestFile = 33'554'432;  // bytes; the library's default limit, before anything is read
constexpr auto kPatience = std::chrono::milliseconds(100);
// A change this soon after another one may leave size and time as they are: file systems' clocks are coarse.
constexpr int64_t kSettledAfter = 3'000'000'000;  // nanoseconds

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string system_reason(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// What the library said of a picture, without a name for it.
std::string reason_of(const tuwen::Error& error) {
  std::string text = tuwen_status_name(error.status());
  for (const std::string& part : {error.field(), error.expected().empty() ? "" : "expected " + error.expected(),
                                  error.found().empty() ? "" : "found " + error.found(), error.note()}) {
    if (!part.empty()) text += ": " + part;
  }
  return text;
}

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

PictureReader::PictureReader(std::string root, std::span<const std::string> paths, tuwen::ProcessorView processor,
                             int64_t side, Known known, int threads)
    : root_(std::move(root)), paths_(paths), processor_(processor), side_(side), known_(std::move(known)) {
  for (int t = 0; t < threads; ++t) threads_.emplace_back([this] { work(); });
}

PictureReader::~PictureReader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  has_room_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void PictureReader::work() {
  try {
    read_all();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    has_results_.notify_one();
  }
}

void PictureReader::read_all() {
  std::unique_lock lock(mutex_);
  for (;;) {
    has_room_.wait(lock, [&] { return stop_ || (ready_pixels_ < kPixelsAhead && ready_.size() < kResultsAhead); });
    if (stop_ || next_ == paths_.size()) return;
    const size_t index = next_++;
    lock.unlock();
    ReadPicture picture = read(index);
    lock.lock();
    if (!picture.pixels.empty()) ++ready_pixels_;
    ready_.push_back(std::move(picture));
    has_results_.notify_one();
  }
}

bool PictureReader::claim(const ContentHash& hash) {
  const std::lock_guard lock(mutex_);
  return known_.insert(hash).second;
}

ReadPicture PictureReader::read(size_t index) {
  ReadPicture picture;
  picture.index = index;
  std::string bytes;
  picture.error = read_file(root_ + "/" + paths_[index], bytes, picture.seen);
  if (!picture.error.empty() || !claim(picture.seen.hash)) return picture;
  try {
    const tuwen::Image image = tuwen::Image::decode(std::as_bytes(std::span(bytes)));
    auto steps = processor_.preprocess_options();
    steps.threads = 1;
    steps.channels_last = 0;
    const auto [height, width] = processor_.preprocess_size(image, &steps);
    if (height != side_ || width != side_) {
      picture.error = "preprocessor_config.json makes " + std::to_string(width) + "x" + std::to_string(height) +
                      " pixels of it; expected " + std::to_string(side_) + "x" + std::to_string(side_);
      return picture;
    }
    picture.pixels = processor_.preprocess({&image, 1}, &steps).data;
  } catch (const tuwen::Error& error) {
    if (error.status() == TUWEN_OUT_OF_MEMORY) throw;
    picture.error = reason_of(error);
  }
  return picture;
}

std::vector<ReadPicture> PictureReader::take() {
  std::vector<ReadPicture> taken;
  {
    std::unique_lock lock(mutex_);
    has_results_.wait_for(lock, kPatience, [&] { return failure_ != nullptr || !ready_.empty(); });
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    taken.assign(std::make_move_iterator(ready_.begin()), std::make_move_iterator(ready_.end()));
    ready_.clear();
    ready_pixels_ = 0;
  }
  has_room_.notify_all();
  taken_ += taken.size();
  return taken;
}

}  // namespace tuwen_cli
