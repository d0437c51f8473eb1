#include "core/parallel.h"

#include <immintrin.h>
#include <catch2/catch.hpp>
#include <numeric>
#include <thread>
#include <vector>

using namespace tw;

namespace {

// Every member adds its share, meets the others, and checks that all shares are in: many barriers in one region.
struct Region {
  static constexpr int kRounds = 200;
  std::vector<int64_t> slots = std::vector<int64_t>(64, 0);
  std::atomic<int> wrong{0};
  std::atomic<int> members{0};

  static void body(void* self, const Member& m) {
    Region& r = *static_cast<Region*>(self);
    r.members.fetch_add(1);
    for (int round = 1; round <= kRounds; ++round) {
      const Range mine = share(64, m.index, m.count);
      for (int64_t i = mine.begin; i < mine.end; ++i) r.slots[static_cast<size_t>(i)] += i;
      m.wait();
      const int64_t sum = std::accumulate(r.slots.begin(), r.slots.end(), int64_t{0});
      if (sum != int64_t{2016} * round) r.wrong.fetch_add(1);
      m.wait();
    }
  }
};

// The largest team seen, or -1 if a region went wrong. (Catch2 2 may assert on one thread only.)
int run_regions(Executor executor, int threads, int regions) {
  Team team(executor, threads);
  int largest = 0;
  for (int i = 0; i < regions; ++i) {
    Region region;
    team.run(&Region::body, &region);
    const int members = region.members.load();
    if (region.wrong.load() != 0 || members < 1 || members > threads) return -1;
    largest = std::max(largest, members);
  }
  return largest;
}

}  // namespace

TEST_CASE("shares cover a range without gaps or overlaps") {
  for (int64_t total : {0, 1, 5, 64, 197}) {
    for (int count : {1, 2, 3, 7, 100}) {
      int64_t next = 0;
      for (int i = 0; i < count; ++i) {
        const Range r = share(total, i, count);
        CHECK(r.begin == next);
        CHECK(r.end >= r.begin);
        next = r.end;
      }
      CHECK(next == total);
    }
  }
}

TEST_CASE("a team computes the same on every executor and with more threads than cores") {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    REQUIRE(pool.size() == threads);
    CHECK(run_regions(pool.executor(), threads, 50) >= std::min(threads, 2));
    CHECK(run_regions(openmp(), threads, 20) >= 1);
    CHECK(run_regions(calling_thread(), threads, 5) == 1);
  }
}

TEST_CASE("two teams at once do not disturb each other") {
  int results[2] = {};
  const auto use = [](int& result) {
    ThreadPool pool(2);
    result = run_regions(pool.executor(), 2, 100);
  };
  std::thread other([&] { use(results[0]); });
  use(results[1]);
  other.join();
  CHECK(results[0] >= 1);
  CHECK(results[1] >= 1);
}

TEST_CASE("pools start and stop, used or not") {
  for (int i = 0; i < 100; ++i) {
    ThreadPool pool(3);
    if (i % 2 == 0) CHECK(run_regions(pool.executor(), 3, 1) >= 1);
  }
}

TEST_CASE("a region runs in the default floating-point environment and gives the caller's back") {
  const unsigned before = _mm_getcsr();
  const unsigned odd = before | 0x8040u | 0x2000u;  // flush to zero, denormals are zero, round down
  _mm_setcsr(odd);
  std::atomic<unsigned> seen{0};
  ThreadPool pool(2);
  for (int threads : {1, 2}) {
    Team team(pool.executor(), threads);
    team.run([](void* out, const Member&) { static_cast<std::atomic<unsigned>*>(out)->fetch_or(_mm_getcsr()); }, &seen);
  }
  const unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  CHECK((after & 0xFFC0u) == (odd & 0xFFC0u));
  CHECK((seen.load() & 0xE040u) == 0u);
}
