// The host's arrays as one operation under test can use them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/device.h"
#include "kernels/cuda/launch.h"

namespace tw::test {

// Elements from the first to the last of a matrix whose rows are `stride` apart.
constexpr int64_t extent(int64_t rows, int64_t stride, int64_t columns) {
  return rows == 0 ? 0 : (rows - 1) * stride + columns;
}

// Where kernels read the host's memory, arrays are used where they lie. Else each is copied to the device, with as many
// bytes to the next boundary as it has here, so that a kernel takes the same path, and with NaN on either side, so that
// what is read there shows and what is written there is found. Counts are of elements; null stays null.
class Staged {
 public:
  // `operation` is for messages.
  explicit Staged(std::string operation);
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;
  ~Staged();

  cuda::Stream stream() const;

  template <class T>
  const T* in(const T* host, int64_t count) {
    return static_cast<const T*>(bytes_in(host, count * static_cast<int64_t>(sizeof(T))));
  }
  // Copied both ways: the operation may read what is there, and what it leaves as it was must come back.
  template <class T>
  T* out(T* host, int64_t count) {
    return static_cast<T*>(bytes_out(host, count * static_cast<int64_t>(sizeof(T))));
  }
  const void* bytes_in(const void* host, int64_t bytes);
  // Of what kernels may read before those in front of them have ended: it is there, and all that was named before.
  const void* weights_in(const void* host, int64_t bytes);
  void* bytes_out(void* host, int64_t bytes);

  // Waits for the operation and takes the results back. Throws Error with the device's words, std::runtime_error if
  // something was written beside an array; both name the operation.
  void finish();

 private:
  struct Array {
    const std::byte* host;
    std::vector<std::byte> image;  // of `memory`, until the operation has run
    int64_t bytes, offset;         // of the copy in it
    Buffer memory;
    std::byte* result;  // null: not taken back
  };
  std::byte* copy_of(const void* host, int64_t bytes, std::byte* result);

  std::string operation_;
  DeviceHandle device_;
  std::unique_ptr<DeviceScope> scope_;
  std::unique_ptr<DeviceQueue> queue_;
  std::vector<Array> arrays_;
};

}  // namespace tw::test
