#include "kernels/cuda/host_shim/fiber.h"

#include <cstdint>
#include <cstring>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TUWEN_SHIM_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define TUWEN_SHIM_ASAN
#endif
#ifdef TUWEN_SHIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace tw::shim {
namespace {

constexpr unsigned char kUnused = 0xA5;
constexpr size_t kWatched = 64;  // bytes at the end of a stack

#ifdef TUWEN_SHIM_ASAN
void leave(void** fake_stack, const void* stack, size_t bytes) {
  __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
}
void arrive(void* fake_stack, const void** stack, size_t* bytes) {
  __sanitizer_finish_switch_fiber(fake_stack, stack, bytes);
}
// Frames that were abandoned have left their red zones.
void unpoison(void* stack, size_t bytes) { __asan_unpoison_memory_region(stack, bytes); }
#else
void leave(void**, const void*, size_t) {}
void arrive(void*, const void**, size_t*) {}
void unpoison(void*, size_t) {}
#endif

}  // namespace

Fiber::Fiber() : stack_(std::make_unique_for_overwrite<std::byte[]>(kStackBytes)) {
  std::memset(stack_.get(), kUnused, kWatched);
}

void Fiber::start(void (*entry)(void*), void* argument) {
  unpoison(stack_.get(), kStackBytes);
  entry_ = entry;
  argument_ = argument;
  ended_ = false;
  fake_stack_ = nullptr;
  getcontext(&own_);
  own_.uc_stack.ss_sp = stack_.get();
  own_.uc_stack.ss_size = kStackBytes;
  own_.uc_link = nullptr;
  // makecontext passes ints.
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(&own_, reinterpret_cast<void (*)()>(begin), 2, static_cast<unsigned>(self),
              static_cast<unsigned>(self >> 32));
}

void Fiber::begin(unsigned low, unsigned high) {
  Fiber* self = reinterpret_cast<Fiber*>(static_cast<uintptr_t>(high) << 32 | low);
  arrive(nullptr, &self->owner_stack_, &self->owner_stack_bytes_);
  self->entry_(self->argument_);
  self->ended_ = true;
  leave(nullptr, self->owner_stack_, self->owner_stack_bytes_);
  setcontext(&self->owner_);
}

void Fiber::resume() {
  void* fake_stack = nullptr;
  leave(&fake_stack, stack_.get(), kStackBytes);
  swapcontext(&owner_, &own_);
  arrive(fake_stack, nullptr, nullptr);
}

void Fiber::pause() {
  leave(&fake_stack_, owner_stack_, owner_stack_bytes_);
  swapcontext(&own_, &owner_);
  arrive(fake_stack_, &owner_stack_, &owner_stack_bytes_);
}

bool Fiber::stack_intact() const {
  for (size_t i = 0; i < kWatched; ++i)
    if (stack_[i] != static_cast<std::byte>(kUnused)) return false;
  return true;
}

}  // namespace tw::shim
