#include "core/parallel.h"

#include <immintrin.h>
#include <catch2/catch.hpp>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

using namespace tw;

namespace {

// Rounds of two operations: each unit of the first adds to its slot, the second's only unit checks that all have.
struct Region {
  static constexpr int kRounds = 200;
  static constexpr int64_t kUnits = 64;
  WorkFront front;
  std::vector<int64_t> slots = std::vector<int64_t>(kUnits, 0);
  std::atomic<int> wrong{0};
  std::atomic<int> members{0};
  std::atomic<int> out_of_range{0};

  static void body(void* self, const Member& m) {
    Region& r = *static_cast<Region*>(self);
    r.members.fetch_add(1);
    if (m.index < 0 || m.index >= m.count) r.out_of_range.fetch_add(1);
    for (uint32_t round = 0; round < kRounds; ++round) {
      r.front.work(2 * round, kUnits, m, [&](int64_t i) { r.slots[static_cast<size_t>(i)] += i; });
      r.front.wait(2 * round);
      r.front.work(2 * round + 1, 1, m, [&](int64_t) {
        const int64_t sum = std::accumulate(r.slots.begin(), r.slots.end(), int64_t{0});
        if (sum != int64_t{2016} * (round + 1)) r.wrong.fetch_add(1);
      });
      r.front.wait(2 * round + 1);
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
    if (region.wrong.load() != 0 || region.out_of_range.load() != 0 || members < 1 || members > threads) return -1;
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

TEST_CASE("an operation waits for nobody who has no part in it") {
  // Two of three members take a unit each; the third never comes. The one that is slow holds the others up, once.
  WorkFront front;
  std::atomic<int> units{0};
  const auto member = [&](int index, int ms) {
    for (uint32_t op = 0; op < 3; ++op) {
      front.work(op, 2, Member{index, 3}, [&](int64_t) {
        units.fetch_add(1);
        std::this_thread::sleep_for(std::chrono::milliseconds(ms));
      });
      front.wait(op);
      if (units.load() < 2 * static_cast<int>(op + 1)) units.store(-100);
    }
  };
  std::thread other(member, 1, 20);
  member(0, 0);
  other.join();
  CHECK(units.load() == 6);
  // Whoever comes now finds everything done.
  const auto start = std::chrono::steady_clock::now();
  member(2, 1000);
  CHECK(units.load() == 6);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(900));
}

TEST_CASE("operations of any number of units") {
  for (const int64_t count : {int64_t{1}, int64_t{2}, int64_t{1000}, (int64_t{1} << 24) + 5}) {
    CAPTURE(count);
    WorkFront front;
    std::atomic<int64_t> units{0}, sum{0};
    std::atomic<int> ended{0};
    const auto member = [&](int index) {
      int64_t mine = 0, total = 0;
      if (front.work(0, count, Member{index, 2}, [&](int64_t i) { ++mine, total += i; })) ended.fetch_add(1);
      units.fetch_add(mine), sum.fetch_add(total);
      front.wait(0);
    };
    std::thread other(member, 1);
    member(0);
    other.join();
    CHECK(units.load() == count);
    CHECK(sum.load() == count * (count - 1) / 2);
    CHECK(ended.load() == 1);
  }
}

TEST_CASE("a member begins with its own part of an operation and then does what others have left") {
  for (const int members : {1, 2, 3, 7, 16, 40}) {
    for (const int64_t count : {int64_t{1}, int64_t{2}, int64_t{13}, int64_t{24}, int64_t{197}}) {
      const int lanes = std::min(members, 16);
      WorkFront front;
      for (int index = 0; index < members; ++index) {
        CAPTURE(members, count, index);
        const auto op = static_cast<uint32_t>(index);
        std::vector<int64_t> expected, done;
        for (int turn = 0; turn < lanes; ++turn) {
          const Range lane = share(count, (index + turn) % lanes, lanes);
          for (int64_t i = lane.begin; i < lane.end; ++i) expected.push_back(i);
        }
        CHECK(front.work(op, count, Member{index, members}, [&](int64_t i) { done.push_back(i); }));
        front.wait(op);
        CHECK(done == expected);
        for (size_t i = 0; i < done.size(); ++i) {
          const int64_t after = WorkFront::after(done[i], count, Member{index, members});
          bool ends_lane = false;
          for (int lane = 0; lane < lanes; ++lane) {
            const Range units = share(count, lane, lanes);
            ends_lane |= units.begin < units.end && units.end == done[i] + 1;
          }
          CHECK(after == (ends_lane ? done[i] : done[i + 1]));
        }
      }
    }
  }
}

TEST_CASE("a member that comes late to any of many operations finds nothing left") {
  WorkFront front;
  constexpr uint32_t kOperations = 70000;
  int64_t done = 0;
  for (uint32_t op = 0; op < kOperations; ++op) {
    // Of one unit, of two, of three: some lanes are empty for a while.
    front.work(op, 1 + op % 3, Member{static_cast<int>(op % 4), 4}, [&](int64_t) { ++done; });
    front.wait(op);
  }
  int64_t late = 0;
  for (uint32_t op = 0; op < kOperations; ++op) {
    if (front.work(op, 1 + op % 3, Member{3, 4}, [&](int64_t) { ++late; })) ++late;
    front.wait(op);
  }
  CHECK(done == int64_t{kOperations} * 2 - 1);
  CHECK(late == 0);
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
