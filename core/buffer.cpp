#include "core/buffer.h"

#include <sys/mman.h>

#include <string>

#include "core/device.h"
#include "core/error.h"

namespace tw {
namespace {

std::string checked_size(int64_t bytes, const char* purpose) {
  std::string size = std::to_string(bytes) + " bytes";
  if (bytes < 0) throw Error(ErrorCode::invalid_argument, {.field = purpose, .expected = "a size", .found = size});
  return size;
}

}  // namespace

// Anonymous pages come zeroed and are returned to the system at once, so a session's memory does not linger in a heap.
Buffer::Buffer(int64_t bytes, const char* purpose) {
  if (bytes == 0) return;
  const std::string wanted = checked_size(bytes, purpose);
  void* pages = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw Error(ErrorCode::out_of_memory, {.field = purpose, .expected = wanted});
  // A hint; refusal is harmless. For small ones too: the system lays mappings side by side and joins those with the
  // same hints, so that a huge page may span the end of one matrix, a bias, and the beginning of the next.
  madvise(pages, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(pages);
  size_ = bytes;
}

Buffer::Buffer(const DeviceApi& api, int64_t bytes, const char* purpose, bool mapped) : api_(&api), mapped_(mapped) {
  if (bytes == 0) return;
  const std::string wanted = checked_size(bytes, purpose);
  void* memory = nullptr;
  check_device(api, (mapped ? api.allocate_mapped : api.allocate)(&memory, bytes), purpose, wanted);
  data_ = static_cast<std::byte*>(memory);
  size_ = bytes;
}

Buffer Buffer::on_device(const DeviceApi& api, int64_t bytes, const char* purpose) {
  return Buffer(api, bytes, purpose, false);
}

Buffer Buffer::mapped(const DeviceApi& api, int64_t bytes, const char* purpose) {
  return Buffer(api, bytes, purpose, true);
}

// A device that is lost refuses to take memory back: then it is gone anyway.
Buffer::~Buffer() {
  if (data_ == nullptr) return;
  if (api_ != nullptr) {
    (mapped_ ? api_->release_mapped : api_->release)(data_);
  } else {
    munmap(data_, static_cast<size_t>(size_));
  }
}

}  // namespace tw
