// Independent jobs on several threads: for loading and packing, where there is no team yet.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace tw {

// Calls job(i) for each i in [0, count), on up to `threads` threads, in any order. After an error no further job is
// begun and the first error is thrown. Fewer threads than asked for only cost time.
template <class Job>
void run_jobs(int threads, int64_t count, Job job) {
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr first_error;
  const auto worker = [&] {
    for (int64_t i; (i = next.fetch_add(1)) < count;) {
      try {
        job(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (first_error == nullptr) first_error = std::current_exception();
        next.store(count);
      }
    }
  };
  std::vector<std::thread> helpers;
  try {
    for (int i = 1; i < threads && i < count; ++i) helpers.emplace_back(worker);
  } catch (const std::exception&) {  // the system refuses threads: the ones there are do the work
  }
  worker();
  for (std::thread& helper : helpers) helper.join();
  if (first_error != nullptr) std::rethrow_exception(first_error);
}

}  // namespace tw
