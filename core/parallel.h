// Teams of threads: one parallel region per encode, our own barrier inside it.
//
// An Executor delivers threads; a Team makes a group of whoever arrives and runs the region on it. Work is divided by
// (index, count) alone and no sum ever crosses a thread, so a smaller team changes the time and never the result.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace tw {

// Where threads come from. `run` calls task(argument) up to `wanted` times, from different threads if it can, on the
// calling thread at least once, and returns when every call it made has returned. It must not throw.
struct Executor {
  void (*run)(void* self, int wanted, void (*task)(void* argument), void* argument) = nullptr;
  void* self = nullptr;
};

// Just the calling thread.
Executor calling_thread();

// OpenMP's threads. Available when built with OpenMP, else the calling thread. See openmp_available().
Executor openmp();
bool openmp_available();

// Spins for some microseconds, then parks. All `count` members call arrive_and_wait the same number of times.
class Barrier {
 public:
  void reset(int count) {
    count_ = count;
    arrived_.store(0, std::memory_order_relaxed);
  }
  void arrive_and_wait();

 private:
  int count_ = 1;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
};

// What a member of a running team knows.
struct Member {
  int index;  // 0 .. count - 1; 0 leads
  int count;
  Barrier* barrier;

  void wait() const {
    if (count > 1) barrier->arrive_and_wait();
  }
};

// Runs regions on an executor's threads. One region at a time; owned by one Session.
class Team {
 public:
  Team(Executor executor, int threads) : executor_(executor), wanted_(threads) {}

  // Calls body(region, member) once on each member, concurrently, and returns when all have returned. The body must not
  // throw. Members that come later than about a millisecond find the region closed and are left out.
  // The floating-point environment is the default one inside, and the caller's again outside.
  void run(void (*body)(void* region, const Member& member), void* region);
  int threads() const { return wanted_; }

 private:
  static void join(void* self);

  Executor executor_;
  int wanted_;
  void (*body_)(void*, const Member&) = nullptr;
  void* region_ = nullptr;
  Barrier barrier_;
  alignas(64) std::atomic<int> joined_{0};  // members so far; negative once closed: -count
};

// Threads of our own, created at construction and parked between regions. Throws nothing: `size()` says how many
// threads (the caller's included) there really are when the system refuses some. The executor it gives refers to the
// pool.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;
  Executor executor();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The part of [0, total) that belongs to member `index` of `count`: sizes differ by at most one.
struct Range {
  int64_t begin, end;
};
constexpr Range share(int64_t total, int index, int count) {
  return {total * index / count, total * (index + 1) / count};
}

}  // namespace tw
