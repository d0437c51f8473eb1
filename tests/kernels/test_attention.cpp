// attention of one head and one sequence against the oracle.
#include <cmath>
#include <limits>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

struct Shape {
  int64_t queries, keys, width;
};

struct Problem {
  Shape shape;
  float scale;
  std::vector<float> q, k, v;
};

std::vector<float> run(const KernelTable& table, const Problem& p, Layout layout) {
  const auto [queries, keys, width] = p.shape;
  GuardedMatrix q(queries, width, p.q, layout), k(keys, width, p.k, layout_number(layout.gap + 1));
  GuardedMatrix v(keys, width, p.v, layout_number(layout.gap + 2)), out(queries, width, layout_number(layout.gap + 3));
  q.freeze(), k.freeze(), v.freeze();
  Guarded<float> scratch(attention_scratch(keys, width));  // full of NaN; ends at a page, which leaves it aligned
  table.attention({.q = q.data(),
                   .k = k.data(),
                   .v = v.data(),
                   .q_stride = q.stride(),
                   .k_stride = k.stride(),
                   .v_stride = v.stride(),
                   .out = out.data(),
                   .out_stride = out.stride(),
                   .queries = queries,
                   .keys = keys,
                   .width = width,
                   .scale = p.scale,
                   .scratch = scratch.data()});
  CHECK(out.damage() == "");
  CHECK(scratch.surroundings_intact());
  return out.values();
}

// Queries that each look at one subset of the keys, of 1, 2, 4 ... members, evenly: everything else scores 1,000 or
// more below and gets no weight at all. The values are integers, so the mean over the subset is exact.
Problem subsets(Shape s, Random& random) {
  Problem p{s, 0.25f, {}, std::vector<float>(static_cast<size_t>(s.keys * s.width)), {}};
  p.v = random.integer_vector(s.keys * s.width, -1000, 1000);
  p.q.assign(static_cast<size_t>(s.queries * s.width), 0.0f);
  for (int64_t c = 0; c < s.width; ++c) {
    int64_t members = 1;
    while (members * 2 <= s.keys && random.chance(0.7)) members *= 2;
    for (int64_t j = 0; j < s.keys; ++j) {
      // Selection sampling: member with probability (members left) / (keys left).
      const bool member = random.integer(1, s.keys - j) <= members;
      members -= member;
      p.k[static_cast<size_t>(j * s.width + c)] = member ? 0.0f : -static_cast<float>(random.integer(1, 4));
    }
  }
  for (int64_t i = 0; i < s.queries; ++i)
    p.q[static_cast<size_t>(i * s.width + random.integer(0, s.width - 1))] = 4096.0f;
  return p;
}

Problem floats(Shape s, double spread, Random& random) {
  std::vector<float> v = random.heavy_tailed_vector(s.keys * s.width);
  return {s, 1.0f / std::sqrt(static_cast<float>(s.width)), random.normal_vector(s.queries * s.width, spread),
          random.normal_vector(s.keys * s.width), std::move(v)};
}

Attention expected(const Problem& p) {
  return attention(widen(p.q), widen(p.k), widen(p.v), {}, p.shape.queries, p.shape.keys, p.shape.width,
                   static_cast<double>(p.scale));
}

// The contract of kernel_table.h: a score errs by (width + 2) eps of its own terms, an exponential by 2 eps and the
// error of its argument, and the sum over the keys by a rounding a key.
void check_bound(const char* what, const Problem& p, Layout layout) {
  const Attention exact = expected(p);
  const auto [queries, keys, width] = p.shape;
  CAPTURE(what, queries, keys, width);
  const double sums = likely_depth(static_cast<double>(keys) + 16);
  for_each_table([&](const KernelTable& table) {
    const BoundReport report = check_error(run(table, p, layout), exact.context, [&, w = width](size_t i) {
      const double scores =
          likely_depth(static_cast<double>(w) + 4) * exact.score_magnitude[i / static_cast<size_t>(w)];
      return (2 * scores + sums) * kF32Unit * exact.magnitude[i];
    });
    record_error(std::string("attention, ") + what, table, report.worst);
    INFO(report.describe());
    CHECK(report.ok());
  });
}

constexpr int64_t kLengths[] = {1, 2, 3, 7, 15, 16, 17, 24, 25, 52, 197};
constexpr int64_t kWidths[] = {1, 8, 16, 17, 24, 64, 80, 96};

}  // namespace

TEST_CASE("attention: means over subsets of the keys are exact") {
  Random random(1);
  int64_t number = 0;
  const auto check = [&](Shape s) {
    const Problem p = subsets(s, random);
    const Doubles context = expected(p).context;
    const std::vector<float> exact(context.begin(), context.end());
    CAPTURE(s.queries, s.keys, s.width);
    for_each_table(
        [&](const KernelTable& table) { CHECK(first_difference(run(table, p, layout_number(number)), exact) == -1); });
    ++number;
  };
  for (const int64_t length : kLengths)
    for (const int64_t width : kWidths) check({length, length, width});
  // Queries and keys of different number: a class token alone, a cache, a tile of queries and its neighbours.
  for (const Shape s : {Shape{1, 257, 64}, {5, 1, 80}, {1, 577, 64}, {23, 40, 64}, {24, 31, 8}, {49, 33, 33}}) check(s);
  // Whole score rows and blocks of keys, and a last block that is a whole one, a strip, a key.
  for (const Shape s : {Shape{3, 1024, 16}, {1, 1025, 64}, {26, 1040, 17}, {25, 1280, 80}, {2, 2321, 64}}) check(s);
}

TEST_CASE("attention: within the bound of every element's own terms") {
  Random random(2);
  int64_t number = 0;
  for (const int64_t length : kLengths) {
    if (length > 60) continue;
    for (const int64_t width : kWidths) {
      const Shape s{length, length, width};
      check_bound("scores around 1", floats(s, 1.0, random), layout_number(number));
      check_bound("peaked", floats(s, 20.0, random), layout_number(number + 1));
      ++number;
    }
  }
  for (const Shape s :
       {Shape{197, 197, 64}, {257, 257, 80}, {1, 577, 64}, {25, 577, 64}, {577, 50, 16}, {30, 1100, 64}, {3, 2305, 80}})
    check_bound("scores around 1", floats(s, 1.0, random), layout_number(number++));
  for (const Shape s : {Shape{25, 1300, 24}, {7, 1025, 64}})
    check_bound("peaked", floats(s, 20.0, random), layout_number(number++));
}

TEST_CASE("attention: the largest score may stand anywhere and be anything") {
  Random random(3);
  for (const int64_t keys : {1, 7, 16, 17, 33, 1100}) {
    for (int64_t place = 0; place<keys; place += keys> kAttentionWholeRows ? 157 : 1) {
      for (const float level : {-3e4f, 0.0f, 3e4f}) {
        Problem p = floats({3, keys, 24}, 1.0, random);
        p.scale = 1.0f;
        // Scores: `level` for all, 400 more at one place; exp without the maximum subtracted is 0 or infinite.
        for (float& q : p.q) q = 0;
        for (int64_t i = 0; i < 3; ++i) p.q[static_cast<size_t>(i * 24 + 23)] = 1.0f;
        for (int64_t j = 0; j < keys; ++j) p.k[static_cast<size_t>(j * 24 + 23)] = level + (j == place ? 400.0f : 0.0f);
        const std::span<const float> chosen = std::span(p.v).subspan(static_cast<size_t>(place * 24), 24);
        CAPTURE(keys, place, level);
        for_each_table([&](const KernelTable& table) {
          const std::vector<float> out = run(table, p, {});
          for (size_t i = 0; i < 3; ++i) CHECK(first_difference(std::span(out).subspan(i * 24, 24), chosen) == -1);
        });
      }
    }
  }
}

TEST_CASE("attention: a query's bits depend on that query and the keys alone") {
  Random random(4);
  for (const Shape s : {Shape{52, 52, 64}, {29, 17, 80}, {25, 33, 24}, {27, 1030, 16}}) {
    const Problem whole = floats(s, 3.0, random);
    CAPTURE(s.queries, s.keys, s.width);
    for_each_table([&](const KernelTable& table) {
      const std::vector<float> expected = run(table, whole, {});
      for (const int64_t count : {int64_t{1}, int64_t{2}, int64_t{7}, kAttentionRows, int64_t{26}}) {
        for (int64_t first = 0; first < s.queries; first += count) {
          Problem part = whole;
          part.shape.queries = std::min(count, s.queries - first);
          const auto begin = static_cast<size_t>(first * s.width),
                     n = static_cast<size_t>(part.shape.queries * s.width);
          part.q.assign(whole.q.begin() + first * s.width, whole.q.begin() + first * s.width + static_cast<int64_t>(n));
          CHECK(first_difference(run(table, part, layout_number(first)), std::span(expected).subspan(begin, n)) == -1);
        }
      }
    });
  }
}

TEST_CASE("attention: NaN and infinity go no further than they must") {
  Random random(5);
  for (const Shape s : {Shape{29, 19, 24}, {29, 1111, 24}}) {
    const Problem clean = floats(s, 1.0, random);
    for (const float bad : {NAN, std::numeric_limits<float>::infinity()}) {
      Problem bad_query = clean, bad_key = clean, bad_value = clean;
      bad_query.q[static_cast<size_t>(25 * s.width + 3)] = bad;
      bad_key.k[static_cast<size_t>(18 * s.width + 23)] = NAN;
      bad_value.v[static_cast<size_t>(18 * s.width + 17)] = bad;
      for_each_table([&](const KernelTable& table) {
        const std::vector<float> good = run(table, clean, {}), query = run(table, bad_query, {});
        const std::vector<float> key = run(table, bad_key, {}), value = run(table, bad_value, {});
        int64_t wrong = 0;
        for (int64_t i = 0; i < s.queries; ++i) {
          for (int64_t c = 0; c < s.width; ++c) {
            const auto at = static_cast<size_t>(i * s.width + c);
            wrong += i == 25 ? !std::isnan(query[at]) : query[at] != good[at];
            wrong += !std::isnan(key[at]);
            wrong += c == 17 ? std::isfinite(value[at]) : value[at] != good[at];
          }
        }
        CHECK(wrong == 0);
      });
    }
  }
}

// A key of infinite numbers scores minus infinity with some queries: it has no part in their sums.
TEST_CASE("attention: scores of minus infinity have no weight, a row of nothing else is NaN") {
  Random random(7);
  for (const int64_t keys : {20, 1111}) {
    const Shape s{3, keys, 16};
    Problem p = floats(s, 1.0, random), without = p;
    for (int64_t i = 0; i < s.queries; ++i) p.q[static_cast<size_t>(i * s.width)] = -1;
    for (int64_t j = 0; j < keys; ++j) p.k[static_cast<size_t>(j * s.width)] = 0;
    without = p;
    // The first keys score minus infinity: as if they were not there.
    const int64_t gone = std::min<int64_t>(keys / 2, 300);
    for (int64_t j = 0; j < gone; ++j) p.k[static_cast<size_t>(j * s.width)] = std::numeric_limits<float>::infinity();
    without.shape.keys = keys - gone;
    without.k.erase(without.k.begin(), without.k.begin() + gone * s.width);
    without.v.erase(without.v.begin(), without.v.begin() + gone * s.width);
    const Attention exact = expected(without);
    CAPTURE(keys);
    for_each_table([&](const KernelTable& table) {
      const std::vector<float> out = run(table, p, {});
      for (size_t i = 0; i < out.size(); ++i)
        CHECK(std::abs(static_cast<double>(out[i]) - exact.context[i]) <= 1e-4 * exact.magnitude[i]);
    });
    for (int64_t j = 0; j < keys; ++j) p.k[static_cast<size_t>(j * s.width)] = std::numeric_limits<float>::infinity();
    for_each_table([&](const KernelTable& table) {
      for (const float v : run(table, p, {})) CHECK(std::isnan(v));
    });
  }
}

TEST_CASE("attention: no queries is no work") {
  Random random(6);
  for_each_table([&](const KernelTable& table) { CHECK(run(table, floats({0, 5, 16}, 1.0, random), {}).empty()); });
}

}  // namespace tw::test
