// Teams of threads: one parallel region per encode.
//
// An Executor delivers threads; a Team runs the region on whoever arrives, whenever that is; a WorkFront leads them
// from operation to operation. Work is divided by the number of threads asked for, and no sum ever crosses a unit of
// work, so who is there changes the time and never the result. Each member begins with the same part of every
// operation, so that it finds in its own cache what it wrote in the one before.
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

// What a member of a running team knows.
struct Member {
  int index;  // 0 .. count - 1; 0 is the first that came
  int count;  // members that there may be: threads asked for
};

// Part `index` of [0, total) in `count` parts: sizes differ by at most one.
struct Range {
  int64_t begin, end;
};
constexpr Range share(int64_t total, int64_t index, int64_t count) {
  return {total * index / count, total * (index + 1) / count};
}

// The operation that a team is at. Operations come one after the other, the same for every member, each made of units
// in lanes, one for each member or for several. A member claims the units of its lane one by one and then those that
// others have left. An operation is over when its units are done, whoever did them: nobody waits for a member without a
// unit, and one that comes late passes by what is over.
class WorkFront {
 public:
  // Before a region.
  void reset() {
    for (Lane& lane : lanes_) lane.claims.store(0, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    over_.store(0, std::memory_order_relaxed);
  }

  // Calls unit(i) for the units of [0, count), 0 < count < 2^31, of operation number `op` that this member gets to
  // claim. True if it did the last one that was missing.
  template <class Unit>
  bool work(uint32_t op, int64_t count, const Member& member, Unit unit) {
    const int lanes = lanes_of(member.count);
    for (int turn = 0; turn < lanes; ++turn) {
      const int lane = (member.index + turn) % lanes;
      const Range units = share(count, lane, lanes);
      for (int64_t i; (i = take(op, lanes_[lane], units)) >= 0;) {
        unit(i);
        if (finish(op, count)) return true;
      }
    }
    return false;
  }
  // Until operation `op` is over; spins for some microseconds, then parks.
  void wait(uint32_t op);

  // The unit that whoever does `unit` of `count` will likely do next; `unit` if there is none.
  static int64_t after(int64_t unit, int64_t count, const Member& member) {
    const int lanes = lanes_of(member.count);
    const int64_t lane = ((unit + 1) * lanes + count - 1) / count;  // the first that begins there or later
    return share(count, lane, lanes).begin == unit + 1 ? unit : unit + 1;
  }

 private:
  static constexpr int kMostLanes = 16;  // who has done its own looks into each
  static constexpr int lanes_of(int members) { return members < kMostLanes ? members : kMostLanes; }

  // | the last operation with a unit claimed here, 32 bits | units claimed of it, 32 bits |. Members are never ahead of
  // the operation at hand, and behind by less than 2^31.
  struct alignas(64) Lane {
    std::atomic<uint64_t> claims{0};
  };

  int64_t take(uint32_t op, Lane& lane, Range units);  // -1: nothing is left
  bool finish(uint32_t op, int64_t count);

  Lane lanes_[kMostLanes];
  alignas(64) std::atomic<int64_t> done_{0};   // units of the operation at hand
  alignas(64) std::atomic<uint32_t> over_{0};  // operations so far, the number of the one at hand; to park on
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

}  // namespace tw
