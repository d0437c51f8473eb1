// A stack and where its execution stands. The address sanitizer is told of every switch.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <memory>

namespace tw::shim {

// Runs a function on a stack of its own until that pauses or ends. Not movable once started; one CPU thread.
class Fiber {
 public:
  Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Ready to run entry(argument) from its beginning, whatever it was doing before.
  void start(void (*entry)(void* argument), void* argument);
  // Called by the owner: runs until the fiber pauses or ends.
  void resume();
  // Called on the fiber: back to resume().
  void pause();
  // The function has returned.
  bool ended() const { return ended_; }
  // The end of the stack was not reached.
  bool stack_intact() const;

 private:
  static void begin(unsigned low, unsigned high);

  static constexpr size_t kStackBytes = 256 * 1024;
  std::unique_ptr<std::byte[]> stack_;
  ucontext_t own_, owner_;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  bool ended_ = true;
  // What the address sanitizer keeps for either side.
  void* fake_stack_ = nullptr;
  const void* owner_stack_ = nullptr;
  size_t owner_stack_bytes_ = 0;
};

}  // namespace tw::shim
