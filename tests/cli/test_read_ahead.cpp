// ReadAhead: each item once, in which order, how far ahead, and what an error or an end in the middle does.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "cli/read_ahead.h"

using tuwen_cli::Order;
using tuwen_cli::ReadAhead;

namespace {

using Ints = ReadAhead<int>;

Ints::Source source_of(size_t begin, size_t end, int threads) {
  Ints::Source source;
  source.begin = begin;
  source.end = end;
  source.make = [](size_t i) { return static_cast<int>(i); };
  source.size = [](int) { return size_t{1}; };
  source.stopped = [] { return false; };
  source.threads = threads;
  return source;
}

void pause(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

// Waits until `condition` holds; false if it does not come to that.
template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 2000 && !condition(); ++i) pause(5);
  return condition();
}

}  // namespace

TEST_CASE("Items come in order, each once, whatever the threads do") {
  for (const int threads : {1, 2, 7}) {
    auto source = source_of(3, 500, threads);
    source.make = [](size_t i) {
      if (i % 11 == 0) pause(1);
      return static_cast<int>(i);
    };
    Ints input(std::move(source));
    size_t next = 3;
    while (!input.finished()) {
      const auto items = input.take(1 + next % 9);
      REQUIRE(!items.empty());
      REQUIRE(items.size() <= 1 + next % 9);
      for (const auto& item : items) {
        REQUIRE(item.index == next);
        REQUIRE(item.value == static_cast<int>(next));
        ++next;
      }
    }
    CHECK(next == 500);
    CHECK(input.take(5).empty());
  }
}

TEST_CASE("Items that are ready need not wait for one that is not") {
  std::atomic<bool> released = false;
  auto source = source_of(0, 100, 2);
  source.order = Order::as_ready;
  source.make = [&](size_t i) {
    while (i == 0 && !released) pause(1);
    return static_cast<int>(i);
  };
  Ints input(std::move(source));
  std::set<size_t> seen;
  while (seen.size() < 99) {
    for (const auto& item : input.take(3)) seen.insert(item.index);
  }
  CHECK(seen.count(0) == 0);
  released = true;
  CHECK(input.take(3).front().index == 0);
  CHECK(input.finished());
}

TEST_CASE("No more is made ahead than the limits say") {
  std::atomic<size_t> made = 0;
  const auto counted = [&](size_t i) {
    ++made;
    return static_cast<int>(i);
  };
  SECTION("bytes: what waits, and one item a thread") {
    auto source = source_of(0, 1000, 3);
    source.make = counted;
    source.size = [](int) { return size_t{100}; };
    source.bytes_ahead = 1000;
    Ints input(std::move(source));
    REQUIRE(eventually([&] { return made >= 10; }));
    pause(50);
    CHECK(made <= 10 + 2);
    CHECK(input.take(4).size() == 4);
    REQUIRE(eventually([&] { return made >= 14; }));
    pause(50);
    CHECK(made <= 14 + 2);
    // A batch that is larger than what may wait is a smaller one and no standstill.
    const size_t some = input.take(500).size();
    CHECK(some >= 10);
    CHECK(some <= 12);
  }
  SECTION("items: those begun and not taken") {
    auto source = source_of(0, 1000, 3);
    source.make = counted;
    source.items_ahead = 5;
    Ints input(std::move(source));
    REQUIRE(eventually([&] { return made >= 5; }));
    pause(50);
    CHECK(made == 5);
    CHECK(input.take(2).size() == 2);
    REQUIRE(eventually([&] { return made >= 7; }));
    pause(50);
    CHECK(made == 7);
  }
}

TEST_CASE("An item is made while others are taken and while others are made") {
  std::atomic<int> at_once = 0, most = 0;
  auto source = source_of(0, 40, 4);
  source.make = [&](size_t i) {
    const int now = ++at_once;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    pause(5);
    --at_once;
    return static_cast<int>(i);
  };
  Ints input(std::move(source));
  CHECK(eventually([&] { return most == 4; }));
}

TEST_CASE("An error is thrown in the place of its item") {
  auto source = source_of(0, 100, 3);
  source.make = [](size_t i) {
    if (i < 20) pause(1);  // the error is there before what comes first
    if (i == 20) throw std::runtime_error("twenty");
    return static_cast<int>(i);
  };
  Ints input(std::move(source));
  size_t taken = 0;
  try {
    while (!input.finished()) taken += input.take(7).size();
    FAIL("no error");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()) == "twenty");
  }
  CHECK(taken == 20);
}

TEST_CASE("Who waits is let go when the user stops it") {
  std::atomic<bool> stopped = false, released = false;
  auto source = source_of(0, 10, 1);
  source.make = [&](size_t i) {
    while (!released) pause(1);
    return static_cast<int>(i);
  };
  source.stopped = [&] { return stopped.load(); };
  Ints input(std::move(source));
  std::thread user([&] {
    pause(30);
    stopped = true;
  });
  CHECK(input.take(10).empty());
  CHECK(!input.finished());
  user.join();
  released = true;
}

TEST_CASE("The end comes at any moment") {
  for (int round = 0; round < 200; ++round) {
    auto source = source_of(0, 1000, 3);
    source.bytes_ahead = 8;
    Ints input(std::move(source));
    for (int i = 0; i < round % 7; ++i) input.take(2);
  }
  Ints none(source_of(5, 5, 4));
  CHECK(none.finished());
  CHECK(none.take(3).empty());
}
