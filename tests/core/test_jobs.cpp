// Lists of jobs: each runs once, and which error comes out does not depend on timing.
#include "core/jobs.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <stdexcept>
#include <string>

using namespace tw;

namespace {

std::string error_of(auto run) {
  try {
    run();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "none";
}

// Late jobs fail at once and early ones after a while.
void fail_slowly(int64_t i) {
  if (i == 7) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  if (i >= 7) throw std::runtime_error("job " + std::to_string(i));
}

}  // namespace

TEST_CASE("every job runs once, and members keep to their own memory") {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    Team team(pool.executor(), threads);
    for (const int64_t count : {0, 1, 2, 100}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(count)), again(static_cast<size_t>(count));
      std::vector<int64_t> own(static_cast<size_t>(threads));
      run_jobs(threads, count, [&](int64_t i) { ++runs[static_cast<size_t>(i)]; });
      run_jobs(team, count, [&](int64_t i, int member) {
        ++again[static_cast<size_t>(i)];
        own[static_cast<size_t>(member)] += 1;  // the thread sanitizer watches
      });
      int64_t all = 0;
      for (const int64_t n : own) all += n;
      CHECK(all == count);
      for (size_t i = 0; i < runs.size(); ++i) CHECK((runs[i] == 1 && again[i] == 1));
    }
  }
}

TEST_CASE("of several errors the one of the lowest job is thrown") {
  ThreadPool pool(3);
  Team team(pool.executor(), 3);
  for (int repeat = 0; repeat < 20; ++repeat) {
    CHECK(error_of([] { run_jobs(3, 100, fail_slowly); }) == "job 7");
    CHECK(error_of([&] { run_jobs(team, 100, [](int64_t i, int) { fail_slowly(i); }); }) == "job 7");
  }
  std::atomic<int> begun{0};
  CHECK(error_of([&] {
          run_jobs(1, 100, [&](int64_t i) {
            ++begun;
            fail_slowly(i);
          });
        }) == "job 7");
  CHECK(begun == 8);  // and none after it
}
