// Profiles of regions: whatever the members do, the parts add up to what the clock says.
#include "core/profile.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/support/profile_sum.h"

using namespace tw;
using tw::test::sum;

namespace {

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// Operation `op` with member 1 at work for longer.
void run(Profile& profile, WorkFront& front, const Member& m, uint32_t op, int short_ms, int long_ms,
         std::atomic<int>* company = nullptr) {
  profile.begin(m, op, {"text", 3, "linear"}, {.rows = 2, .columns = 3, .k = 4, .flops = 48});
  const bool ended = front.work(op, 2, m, [&](int64_t) {
    if (company != nullptr) {  // nobody takes both units
      company->fetch_add(1);
      while (company->load() < 2 * static_cast<int>(op + 1)) std::this_thread::yield();
    }
    sleep_ms(m.index == 1 ? long_ms : short_ms);
  });
  profile.done(m, op, ended);
  front.wait(op);
  profile.left(m, op);
}

// A region of two members, each a thread; the second one comes later.
template <class Body>
void region(Profile& profile, int64_t capacity, Body body, int late_ms = 0) {
  WorkFront front;
  profile.open(2, capacity);
  std::thread other([&] {
    sleep_ms(late_ms);
    body(front, Member{1, 2});
  });
  body(front, Member{0, 2});
  other.join();
  profile.close();
}

}  // namespace

TEST_CASE("work, imbalance, barrier and what lies between add up to the wall time") {
  Profile profile;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 2; ++i) {
    std::atomic<int> company{0};
    region(profile, 8, [&](WorkFront& front, const Member& m) {
      run(profile, front, m, 0, 1, 21, &company);
      sleep_ms(5);
      run(profile, front, m, 1, 2, 2, &company);
    });
  }
  const std::chrono::duration<double, std::milli> outside = std::chrono::steady_clock::now() - start;
  REQUIRE(profile.count() == 4);
  const Profile::Whole whole = profile.whole();
  CHECK(whole.members == 2);
  CHECK(whole.lost == 0);
  CHECK(sum(profile) == Approx(whole.wall).epsilon(1e-6));
  CHECK(whole.wall <= outside.count());
  CHECK(whole.wall >= 0.9 * outside.count());
  for (const int64_t i : {0, 2}) {
    const ProfiledOp slow = profile.at(i), even = profile.at(i + 1);
    CHECK(slow.longest >= 21);
    CHECK(slow.work >= 11);
    // One sleeps 20 ms longer than the other once both have begun; a busy machine wakes either of them late.
    CHECK(slow.imbalance >= 5);
    CHECK(slow.imbalance <= slow.longest / 2 + 5);
    CHECK(even.between >= 5);
    CHECK(even.work >= 2);
    for (const ProfiledOp& op : {slow, even}) {
      CHECK(op.imbalance >= 0);
      CHECK(op.barrier >= 0);
      CHECK(op.place.layer == 3);
      CHECK(op.cost.flops == 48);
    }
  }
}

TEST_CASE("a member that comes when all is over adds up like the others") {
  Profile profile;
  region(
      profile, 8,
      [&](WorkFront& front, const Member& m) {
        run(profile, front, m, 0, 1, 1);
        run(profile, front, m, 1, 1, 1);
      },
      30);
  REQUIRE(profile.count() == 2);
  const Profile::Whole whole = profile.whole();
  CHECK(whole.members == 2);
  CHECK(sum(profile) == Approx(whole.wall).epsilon(1e-6));
  CHECK(whole.start >= 15);  // the mean of about 0 and 30
  for (int64_t i = 0; i < 2; ++i) {
    CHECK(profile.at(i).imbalance == Approx(0).margin(1));
    CHECK(profile.at(i).longest >= 1);
  }
}

TEST_CASE("a member that never comes is not counted") {
  Profile profile;
  WorkFront front;
  profile.open(2, 4);
  run(profile, front, Member{0, 2}, 0, 1, 1);
  profile.close();
  CHECK(profile.whole().members == 1);
  CHECK(sum(profile) == Approx(profile.whole().wall).epsilon(1e-6));
}

TEST_CASE("operations for which there is no room are counted and nothing else") {
  Profile profile;
  region(profile, 2, [&](WorkFront& front, const Member& m) {
    for (uint32_t op = 0; op < 5; ++op) run(profile, front, m, op, 0, 0);
  });
  CHECK(profile.count() == 2);
  CHECK(profile.whole().lost == 3);
  CHECK(sum(profile) == Approx(profile.whole().wall).epsilon(1e-6));
  profile.clear();
  CHECK(profile.count() == 0);
  CHECK(profile.whole().wall == 0);
}

TEST_CASE("regions without operations, and none at all") {
  Profile profile;
  CHECK(profile.whole().members == 0);
  region(profile, 4, [](WorkFront&, const Member&) {});
  CHECK(profile.count() == 0);
  CHECK(profile.whole().wall >= 0);
  region(profile, 4, [&](WorkFront& front, const Member& m) { run(profile, front, m, 0, 0, 0); });
  CHECK(profile.count() == 1);
  CHECK(profile.at(0).work >= 0);
}
