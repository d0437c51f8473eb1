// What every call of a session does around its work.
#pragma once

#include <atomic>

#include "core/error.h"
#include "models/stop.h"

namespace tw {

// Frees the session when the call ends, however it ends.
class OccupiedSession {
 public:
  explicit OccupiedSession(std::atomic_flag& flag) : flag_(flag) {
    if (flag_.test_and_set(std::memory_order_acquire))
      throw Error(ErrorCode::busy,
                  {.field = "session", .note = "another thread is using it; make one session a thread"});
  }
  ~OccupiedSession() { flag_.clear(std::memory_order_release); }
  OccupiedSession(const OccupiedSession&) = delete;
  OccupiedSession& operator=(const OccupiedSession&) = delete;

 private:
  std::atomic_flag& flag_;
};

inline void throw_if_stopped(const Stop& stop) {
  if (stop.stopped())
    throw Error(ErrorCode::cancelled, {.field = "encode", .note = "the deadline passed or the caller asked to stop"});
}

}  // namespace tw
