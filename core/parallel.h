// Teams of threads: one parallel region per encode.
//
// An Executor delivers threads; a Team runs the region on whoever arrives, whenever that is; a WorkFront leads them
// from operation to operation. Work is divided by the number of threads asked for, and no sum ever crosses a unit of
// work, so who is there changes the time and never the result.
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

// The operation that a team is at. Operations come one after the other, the same for every member, each made of units
// that members claim one by one. An operation is over when its units are done, whoever did them: nobody waits for a
// member without a unit, and one that comes late passes by what is over.
class WorkFront {
 public:
  // Before a region.
  void reset() {
    state_.store(0, std::memory_order_relaxed);
    over_.store(0, std::memory_order_relaxed);
  }

  // Calls unit(i) for the units of [0, count), count > 0, of operation number `op` that this member gets to claim. True
  // if it did the last one that was missing.
  template <class Unit>
  bool work(uint32_t op, int64_t count, Unit unit) {
    const int64_t group = (count + kMostClaims - 1) / kMostClaims;  // mostly 1
    const uint64_t claims = static_cast<uint64_t>((count + group - 1) / group);
    for (int64_t claim; (claim = take(op, claims)) >= 0;) {
      const int64_t end = claim + 1 < static_cast<int64_t>(claims) ? (claim + 1) * group : count;
      for (int64_t i = claim * group; i < end; ++i) unit(i);
      if (finish(op, claims)) return true;
    }
    return false;
  }
  // Until operation `op` is over; spins for some microseconds, then parks.
  void wait(uint32_t op);

 private:
  // state_ is | op, 16 bits | claimed, 24 bits | done, 24 bits |. Members are never ahead of it, and behind by less
  // than 65,536 operations.
  static constexpr int kBits = 24;
  static constexpr int64_t kMostClaims = (int64_t{1} << kBits) - 1;
  static constexpr uint64_t kOneDone = 1, kOneClaimed = uint64_t{1} << kBits;

  static bool is_at(uint64_t state, uint32_t op) { return state >> (2 * kBits) == (op & 0xFFFFu); }
  static uint64_t claimed(uint64_t state) { return state >> kBits & kMostClaims; }
  static uint64_t done(uint64_t state) { return state & kMostClaims; }

  int64_t take(uint32_t op, uint64_t claims);  // -1: nothing is left
  bool finish(uint32_t op, uint64_t claims);

  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<uint32_t> over_{0};  // operations so far; to park on
};

// What a member of a running team knows.
struct Member {
  int index;  // 0 .. count - 1; 0 is the first that came
  int count;  // members that there may be: threads asked for
};

// Runs regions on an executor's threads. One region at a time; owned by one Session.
class Team {
 public:
  Team(Executor executor, int threads) : executor_(executor), wanted_(threads) {}

  // Calls body(region, member) on as many members as the executor delivers, at most threads(), whenever they come, and
  // returns when all have returned. The body must not throw, nor count on company: see WorkFront.
  // The floating-point environment is the default one inside, and the caller's again outside.
  void run(void (*body)(void* region, const Member& member), void* region);
  int threads() const { return wanted_; }

 private:
  static void join(void* self);

  Executor executor_;
  int wanted_;
  void (*body_)(void*, const Member&) = nullptr;
  void* region_ = nullptr;
  alignas(64) std::atomic<int> joined_{0};  // members so far
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

// Part `index` of [0, total) in `count` parts: sizes differ by at most one.
struct Range {
  int64_t begin, end;
};
constexpr Range share(int64_t total, int64_t index, int64_t count) {
  return {total * index / count, total * (index + 1) / count};
}

}  // namespace tw
