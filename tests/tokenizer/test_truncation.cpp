// Truncation by hand, against the rules of spec and reference written out.
#include "tokenizer/truncation.h"

#include <catch2/catch.hpp>

#include "core/error.h"

using namespace tw;

namespace {

using Lengths = std::vector<std::pair<int64_t, int64_t>>;

Lengths list(const std::vector<Window>& windows) {
  Lengths all;
  for (const Window& w : windows) all.emplace_back(w.begin, w.end);
  return all;
}

// What longest_first means: take one piece after the other off the longer text, off the second if both are as long...
// the reference's closed form differs from this loop only in which text keeps the odd piece.
std::pair<int64_t, int64_t> one_by_one(int64_t first, int64_t second, int64_t target) {
  while (first + second > target) (first > second ? first : second) -= 1;
  return {first, second};
}

}  // namespace

TEST_CASE("windows of one text") {
  const TruncationRule right{TruncationStrategy::longest_first, 4, 1, Side::right};
  CHECK(list(truncate_pair(10, std::nullopt, right, "t").first) == Lengths{{0, 4}, {3, 7}, {6, 10}});
  CHECK(list(truncate_pair(11, std::nullopt, right, "t").first) == Lengths{{0, 4}, {3, 7}, {6, 10}, {9, 11}});
  CHECK(list(truncate_pair(4, std::nullopt, right, "t").first) == Lengths{{0, 4}});
  const TruncationRule left{TruncationStrategy::longest_first, 4, 1, Side::left};
  CHECK(list(truncate_pair(11, std::nullopt, left, "t").first) == Lengths{{7, 11}, {4, 8}, {1, 5}, {0, 2}});
  const TruncationRule nothing{TruncationStrategy::longest_first, 0, 0, Side::right};
  CHECK(list(truncate_pair(3, std::nullopt, nothing, "t").first) == Lengths{{0, 0}, {0, 3}});
}

TEST_CASE("longest_first shares the room as taking pieces off the longer text does") {
  for (int64_t first = 0; first <= 12; ++first)
    for (int64_t second = 0; second <= 12; ++second)
      for (int64_t target = 1; target <= 24; ++target) {
        CAPTURE(first, second, target);
        const TruncationRule rule{TruncationStrategy::longest_first, target, 0, Side::right};
        const PairWindows windows = truncate_pair(first, second, rule, "t");
        const auto [expected_first, expected_second] = one_by_one(first, second, target);
        const int64_t kept_first = windows.first[0].end - windows.first[0].begin;
        const int64_t kept_second = windows.second[0].end - windows.second[0].begin;
        CHECK(kept_first + kept_second == expected_first + expected_second);
        CHECK(std::abs(kept_first - expected_first) <= 1);
        CHECK(kept_first <= first);
        CHECK(kept_second <= second);
      }
}

TEST_CASE("only one text is cut") {
  const TruncationRule first{TruncationStrategy::only_first, 6, 0, Side::right};
  const PairWindows a = truncate_pair(5, 4, first, "t");
  CHECK(list(a.first) == Lengths{{0, 2}, {2, 4}, {4, 5}});
  CHECK(list(a.second) == Lengths{{0, 4}});
  const TruncationRule second{TruncationStrategy::only_second, 6, 0, Side::right};
  const PairWindows b = truncate_pair(5, 4, second, "t");
  CHECK(list(b.first) == Lengths{{0, 5}});
  CHECK(list(b.second) == Lengths{{0, 1}, {1, 2}, {2, 3}, {3, 4}});
  CHECK_THROWS_AS(truncate_pair(6, 4, second, "t"), Error);
  CHECK_THROWS_AS(truncate_pair(7, std::nullopt, second, "t"), Error);
  CHECK_THROWS_AS(truncate_pair(3, 6, first, "t"), Error);
}
