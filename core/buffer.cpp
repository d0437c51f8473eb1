#include "core/buffer.h"

#include <sys/mman.h>

#include <string>

#include "core/checked_math.h"
#include "core/error.h"

namespace tw {

// Anonymous pages come zeroed and are returned to the system at once, so a session's memory does not linger in a heap.
Buffer::Buffer(int64_t bytes, const char* purpose) {
  if (bytes == 0) return;
  const std::string wanted = std::to_string(bytes) + " bytes";
  if (bytes < 0) throw Error(ErrorCode::invalid_argument, {.field = purpose, .expected = "a size", .found = wanted});
  void* pages = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw Error(ErrorCode::out_of_memory, {.field = purpose, .expected = wanted});
  // A hint; refusal is harmless. For small ones too: the system lays mappings side by side and joins those with the
  // same hints, so that a huge page may span the end of one matrix, a bias, and the beginning of the next.
  madvise(pages, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(pages);
  size_ = bytes;
}

Buffer::~Buffer() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(size_));
}

}  // namespace tw
