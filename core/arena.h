// Hands out scratch tensors from one Buffer, planned once and never given back.
#pragma once

#include "core/buffer.h"
#include "core/checked_math.h"
#include "core/error.h"
#include "core/tensor.h"

namespace tw {

// Used twice with the same sequence of take() calls: first without memory, to learn `used()`; then over a Buffer of
// that size, to get addresses. So the size of a Session is known before a byte is allocated. One thread at a time.
class Arena {
 public:
  Arena() = default;  // measures only: take() returns null data
  explicit Arena(Buffer& memory) : Arena(memory.data(), memory.size()) {}
  // A part of another arena, for tensors that share it over time.
  Arena(std::byte* memory, int64_t bytes) : base_(memory), capacity_(bytes) {}

  // A cache-line aligned block.
  void* take_bytes(int64_t bytes) {
    const int64_t offset = used_;
    used_ += round_up(bytes, static_cast<int64_t>(kAlignment));
    if (base_ == nullptr) return nullptr;
    if (used_ > capacity_) throw Error(ErrorCode::internal, {.field = "arena", .note = "taken beyond the plan"});
    return base_ + offset;
  }
  // [rows, columns], rows `stride` elements apart (by default dense).
  Tensor take(int64_t rows, int64_t columns, DType type = DType::f32, int64_t stride = 0) {
    if (stride == 0) stride = columns;
    return {take_bytes(rows * stride * size_of(type)), type, rows, columns, stride};
  }
  int64_t used() const { return used_; }  // bytes

 private:
  std::byte* base_ = nullptr;
  int64_t capacity_ = 0;
  int64_t used_ = 0;
};

}  // namespace tw
