// Independent jobs on several threads: for loading, packing and preparing, where every job ends on its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/fp_environment.h"
#include "core/parallel.h"

namespace tw {

// Jobs [0, count) that threads claim in this order, one at a time. After an error no further job is begun. Of the
// errors the one of the lowest job is kept, and as every lower job was claimed before and ran to its end, that is the
// error which one thread alone would have met.
class JobList {
 public:
  explicit JobList(int64_t count) : count_(count), failed_(count) {}

  template <class Job>  // job(i)
  void work(Job& job) noexcept {
    for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
      try {
        job(i);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        next_.store(count_, std::memory_order_relaxed);
        if (i >= failed_) continue;
        failed_ = i;
        error_ = std::current_exception();
      }
    }
  }
  // After every thread has returned from work().
  void rethrow() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

 private:
  const int64_t count_;
  std::atomic<int64_t> next_{0};
  std::mutex mutex_;
  int64_t failed_;
  std::exception_ptr error_;
};

// Calls job(i) for each i in [0, count), on up to `threads` threads. Throws as JobList says. Fewer threads than asked
// for only cost time.
template <class Job>
void run_jobs(int threads, int64_t count, Job job) {
  JobList list(count);
  const auto worker = [&] { list.work(job); };
  std::vector<std::thread> helpers;
  try {
    for (int i = 1; i < threads && i < count; ++i) helpers.emplace_back(worker);
  } catch (const std::exception&) {  // the system refuses threads: the ones there are do the work
  }
  worker();
  for (std::thread& helper : helpers) helper.join();
  list.rethrow();
}

// The same on a team. job(i, member) is also told which of the team.threads() members runs it, for scratch memory.
template <class Job>
void run_jobs(Team& team, int64_t count, Job job) {
  struct Region {
    JobList list;
    Job& job;
  } region{JobList(count), job};
  const auto work = [](void* shared, const Member& member) {
    Region& r = *static_cast<Region*>(shared);
    const auto mine = [&](int64_t i) { r.job(i, member.index); };
    r.list.work(mine);
  };
  if (count > 1) {
    team.run(work, &region);
  } else {  // nobody needs to be woken
    const DefaultFpEnvironment environment;
    work(&region, {.index = 0, .count = 1});
  }
  region.list.rethrow();
}

}  // namespace tw
