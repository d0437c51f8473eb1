// Buffers that make a stray access visible: an inaccessible page on either side, NaN patterns in every byte that the
// kernel should not read or has not written yet.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>

namespace tw::test {

enum class Edge { begin, end };

// `count` elements next to an inaccessible page. With Edge::end and offset 0 the buffer's last byte is the last
// accessible one; with Edge::begin its first byte is the first. `offset` elements move it away from that page, which
// chooses the alignment; the gap is filled with the poison and watched. Not copyable; movable; throws std::bad_alloc.
template <class T>
class Guarded {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit Guarded(int64_t count, Edge edge = Edge::end, int64_t offset = 0) : count_(static_cast<size_t>(count)) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t gap = static_cast<size_t>(offset) * sizeof(T);
    const size_t bytes = count_ * sizeof(T);
    room_ = std::max<size_t>(1, (bytes + gap + page - 1) / page) * page;
    mapped_ = room_ + 2 * page;
    void* map = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    map_ = static_cast<unsigned char*>(map);
    base_ = map_ + page;
    if (mprotect(base_, room_, PROT_READ | PROT_WRITE) != 0) {
      munmap(map_, mapped_);
      throw std::bad_alloc();
    }
    first_ = edge == Edge::begin ? gap : room_ - gap - bytes;
    poison_range(0, room_);
  }
  Guarded(int64_t count, std::span<const T> values, Edge edge = Edge::end, int64_t offset = 0)
      : Guarded(count, edge, offset) {
    assign(values);
  }
  Guarded(Guarded&& other) noexcept
      : map_(other.map_),
        base_(other.base_),
        mapped_(other.mapped_),
        room_(other.room_),
        first_(other.first_),
        count_(other.count_) {
    other.map_ = nullptr;
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  Guarded& operator=(Guarded&&) = delete;
  ~Guarded() {
    if (map_ != nullptr) munmap(map_, mapped_);
  }

  T* data() { return reinterpret_cast<T*>(base_ + first_); }
  const T* data() const { return reinterpret_cast<const T*>(base_ + first_); }
  int64_t size() const { return static_cast<int64_t>(count_); }
  std::span<T> span() { return {data(), count_}; }
  std::span<const T> span() const { return {data(), count_}; }

  // Copies values to the front; the rest keeps its content.
  void assign(std::span<const T> values) {
    if (values.empty()) return;
    std::memcpy(base_ + first_, values.data(), std::min(values.size(), count_) * sizeof(T));
  }
  // Back to "never written".
  void poison() { poison_range(first_, first_ + count_ * sizeof(T)); }
  // From here on a write faults, in the gap too.
  void freeze() { mprotect(base_, room_, PROT_READ); }

  // The gap between buffer and page still holds the poison.
  bool surroundings_intact() const {
    for (size_t i = 0; i < room_; ++i) {
      const bool inside = i >= first_ && i < first_ + count_ * sizeof(T);
      if (!inside && base_[i] != poison_byte(i)) return false;
    }
    return true;
  }
  // Elements that still hold the poison, that is, were never written.
  int64_t unwritten() const {
    int64_t left = 0;
    for (size_t e = 0; e < count_; ++e) {
      bool same = true;
      for (size_t b = 0; b < sizeof(T); ++b) {
        const size_t i = first_ + e * sizeof(T) + b;
        same = same && base_[i] == poison_byte(i);
      }
      left += same ? 1 : 0;
    }
    return left;
  }

 private:
  // 0x7FBF8234 as f32 is a NaN with a payload that no computation produces; counted from the buffer's first byte, so
  // that each element of a 4-byte type holds exactly it.
  unsigned char poison_byte(size_t i) const {
    constexpr unsigned char pattern[4] = {0x34, 0x82, 0xBF, 0x7F};
    return pattern[(i + 4 * room_ - first_) % 4];
  }
  void poison_range(size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) base_[i] = poison_byte(i);
  }

  unsigned char* map_ = nullptr;   // with the two inaccessible pages
  unsigned char* base_ = nullptr;  // the accessible part
  size_t mapped_ = 0;
  size_t room_ = 0;
  size_t first_ = 0;  // byte offset of element 0 from base_
  size_t count_ = 0;
};

}  // namespace tw::test
