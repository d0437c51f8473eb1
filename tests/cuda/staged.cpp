#include "tests/cuda/staged.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "core/error.h"
#include "tests/cuda/under_test.h"

namespace tw::test {
namespace {

constexpr int64_t kBoundary = 256;  // of what devices allocate; also the room on either side of a copy
constexpr std::byte kBeside{0xFF};  // NaN in every type

}  // namespace

Staged::Staged(std::string operation) : operation_(std::move(operation)), device_(memory_under_test()) {
  if (device_.api == nullptr) return;
  scope_ = std::make_unique<DeviceScope>(device_);
  queue_ = std::make_unique<DeviceQueue>(*device_.api);
}

Staged::~Staged() {
  if (queue_) queue_->wait_whatever_comes();
}

cuda::Stream Staged::stream() const { return {queue_ ? queue_->stream() : nullptr, early_under_test()}; }

const void* Staged::bytes_in(const void* host, int64_t bytes) {
  return device_.api == nullptr || host == nullptr ? host : copy_of(host, bytes, nullptr);
}

const void* Staged::weights_in(const void* host, int64_t bytes) {
  const void* there = bytes_in(host, bytes);
  if (queue_) queue_->wait();
  return there;
}

void* Staged::bytes_out(void* host, int64_t bytes) {
  return device_.api == nullptr || host == nullptr ? host : copy_of(host, bytes, static_cast<std::byte*>(host));
}

std::byte* Staged::copy_of(const void* host, int64_t bytes, std::byte* result) {
  const auto* from = static_cast<const std::byte*>(host);
  const int64_t misaligned = static_cast<int64_t>(reinterpret_cast<uintptr_t>(host)) % kBoundary;
  const int64_t offset = kBoundary + misaligned, size = offset + bytes + kBoundary;
  std::vector<std::byte> image(static_cast<size_t>(size), kBeside);
  if (bytes > 0) std::memcpy(image.data() + offset, from, static_cast<size_t>(bytes));
  Array& a = arrays_.emplace_back(Array{from, std::move(image), bytes, offset,
                                        Buffer::on_device(*device_.api, size, "an array of a test"), result});
  queue_->copy(a.memory.data(), a.image.data(), size);
  if (!early_under_test()) queue_->wait();  // else kernels are to begin before
  return a.memory.data() + offset;
}

void Staged::finish() {
  if (!queue_) return;
  try {
    queue_->wait();
    for (const Array& a : arrays_) {
      std::vector<std::byte> image(static_cast<size_t>(a.memory.size()));
      queue_->copy(image.data(), a.memory.data(), a.memory.size());
      queue_->wait();
      const std::byte *begin = image.data(), *first = begin + a.offset, *last = first + a.bytes;
      const auto untouched = [](std::byte b) { return b == kBeside; };
      if (!std::all_of(begin, first, untouched) || !std::all_of(last, begin + image.size(), untouched))
        throw std::runtime_error(operation_ + " wrote beside one of its arrays");
      if (a.result != nullptr) std::copy(first, last, a.result);
      if (a.result == nullptr && !std::equal(first, last, a.host))
        throw std::runtime_error(operation_ + " wrote into one of its inputs");
    }
  } catch (const Error& e) {
    throw std::runtime_error(operation_ + ": " + e.what());
  }
}

}  // namespace tw::test
