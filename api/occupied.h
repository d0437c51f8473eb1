// One call at a time.
#pragma once

#include <atomic>

#include "core/error.h"

namespace tw {

// Holds a session for the length of a call. Throws busy if another call holds it.
class Occupied {
 public:
  explicit Occupied(std::atomic_flag& flag) : flag_(flag) { take(flag); }
  ~Occupied() { flag_.clear(std::memory_order_release); }
  Occupied(const Occupied&) = delete;
  Occupied& operator=(const Occupied&) = delete;

  static void take(std::atomic_flag& flag) {
    if (flag.test_and_set(std::memory_order_acquire)) {
      throw Error(ErrorCode::busy, {.field = "session", .note = "a call is running on it; make one session a thread"});
    }
  }

 private:
  std::atomic_flag& flag_;
};

}  // namespace tw
