// attention_full of one head and one sequence against the oracle, which is told of masks and relative positions as one
// added matrix. Every combination of terms on small shapes: kernels/check/check_attention.cpp.
#include <cfloat>
#include <cmath>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

struct Problem {
  int64_t queries, keys, width;
  std::vector<float> q, k, v, bias, distances;
  int64_t distance_of_first = 0, distance_step = 1, causal_first = 0;
  bool causal = false, of_keys = false;
  float scale = 0.25f, head_scale = 1.0f;
};

struct Result {
  std::vector<float> out, weights;
};

Result run(const KernelTable& table, const Problem& p, int64_t first, int64_t count, int64_t layout = 0) {
  const auto from = static_cast<std::ptrdiff_t>(first);
  const std::vector<float> asked(p.q.begin() + from * p.width, p.q.begin() + (from + count) * p.width);
  GuardedMatrix q(count, p.width, asked, layout_number(layout)), k(p.keys, p.width, p.k, layout_number(layout + 1));
  GuardedMatrix v(p.keys, p.width, p.v, layout_number(layout + 2)), out(count, p.width, layout_number(layout + 3));
  GuardedMatrix weights(count, p.keys, layout_number(layout + 1));
  const Guarded<float> distances = guarded_input(p.distances), bias = guarded_input(p.bias);
  q.freeze(), k.freeze(), v.freeze();
  Guarded<float> scratch(attention_scratch(p.keys, p.width));
  table.attention_full({.base = {.q = q.data(),
                                 .k = k.data(),
                                 .v = v.data(),
                                 .q_stride = q.stride(),
                                 .k_stride = k.stride(),
                                 .v_stride = v.stride(),
                                 .out = out.data(),
                                 .out_stride = out.stride(),
                                 .queries = count,
                                 .keys = p.keys,
                                 .width = p.width,
                                 .scale = p.scale,
                                 .scratch = scratch.data()},
                        .bias = p.bias.empty() ? nullptr : bias.data() + first * p.keys,
                        .bias_stride = p.keys,
                        .causal = p.causal,
                        .causal_first = p.causal_first + first,
                        .distances = p.distances.empty() ? nullptr : distances.data(),
                        .distance_of_first = p.distance_of_first + first * p.distance_step,
                        .distance_step = p.distance_step,
                        .distances_of_keys = p.of_keys,
                        .head_scale = p.head_scale,
                        .weights = weights.data(),
                        .weights_stride = weights.stride()});
  CHECK(out.damage() == "");
  CHECK(weights.damage() == "");
  CHECK(scratch.surroundings_intact());
  return {out.values(), weights.values()};
}

Problem numbers(int64_t queries, int64_t keys, int64_t width, Random& random) {
  return {queries,
          keys,
          width,
          random.normal_vector(queries * width),
          random.normal_vector(keys * width),
          random.normal_vector(keys * width),
          {},
          {}};
}

// Masks as models make them: a few keys hidden from everybody, later ones from earlier queries, tables of distances.
Problem with_terms(Problem p, int64_t number, Random& random) {
  if (number & 1) {
    p.bias = random.normal_vector(p.queries * p.keys);
    for (int64_t i = 0; i < p.queries; ++i)
      for (int64_t j = 1; j < p.keys; j += 3) p.bias[static_cast<size_t>(i * p.keys + j)] = -FLT_MAX;
  }
  p.causal = (number & 2) != 0;
  p.causal_first = std::max<int64_t>(0, p.keys - p.queries);
  if (number & 4) {
    p.distances = random.normal_vector((p.queries + p.keys) * p.width);
    p.distance_of_first = p.keys;
    p.of_keys = (number & 8) != 0;
  }
  p.head_scale = number % 5 == 4 ? 0.5f : 1.0f;
  return p;
}

struct Expected {
  Attention attention;
  std::vector<double> magnitude;  // of the scores of each query
};

Expected expected(const Problem& p) {
  const auto scale = static_cast<double>(p.scale);
  Doubles added(static_cast<size_t>(p.queries * p.keys)), magnitude(static_cast<size_t>(p.queries));
  for (int64_t i = 0; i < p.queries; ++i) {
    for (int64_t j = 0; j < p.keys; ++j) {
      const auto at = static_cast<size_t>(i * p.keys + j);
      double sum = 0, terms = 0;
      for (int64_t c = 0; c < p.width && !p.distances.empty(); ++c) {
        const auto e = static_cast<double>(
            p.distances[static_cast<size_t>((p.distance_of_first + i * p.distance_step - j) * p.width + c)]);
        const double by_query = scale * static_cast<double>(p.q[static_cast<size_t>(i * p.width + c)]) * e;
        const double by_key =
            p.of_keys ? scale * static_cast<double>(p.k[static_cast<size_t>(j * p.width + c)]) * e : 0.0;
        sum += by_query + by_key;
        terms += std::abs(by_query) + std::abs(by_key);
      }
      const float bias = p.bias.empty() ? 0.0f : p.bias[at];
      const bool hidden = bias == -FLT_MAX || (p.causal && j > p.causal_first + i);
      added[at] = hidden ? -std::numeric_limits<double>::infinity() : sum + static_cast<double>(bias);
      if (!hidden) terms += std::abs(static_cast<double>(bias));
      magnitude[static_cast<size_t>(i)] = std::max(magnitude[static_cast<size_t>(i)], terms);
    }
  }
  Expected e{attention(widen(p.q), widen(p.k), widen(p.v), added, p.queries, p.keys, p.width, scale), magnitude};
  for (int64_t i = 0; i < p.queries; ++i)
    e.magnitude[static_cast<size_t>(i)] += e.attention.score_magnitude[static_cast<size_t>(i)];
  for (Doubles* values : {&e.attention.context, &e.attention.probabilities})
    for (double& v : *values) v *= static_cast<double>(p.head_scale);
  return e;
}

void check_bound(const Problem& p, int64_t layout) {
  const Expected exact = expected(p);
  const double sums = likely_depth(static_cast<double>(p.keys) + 16);
  const auto relative = [&](size_t query) {
    return (2 * likely_depth(static_cast<double>(p.width) + 4) * exact.magnitude[query] + sums) * kF32Unit;
  };
  for_each_table([&](const KernelTable& table) {
    const Result got = run(table, p, 0, p.queries, layout);
    const BoundReport out = check_error(got.out, exact.attention.context, [&](size_t i) {
      return relative(i / static_cast<size_t>(p.width)) * exact.attention.magnitude[i];
    });
    const BoundReport weights = check_error(got.weights, exact.attention.probabilities, [&](size_t i) {
      return relative(i / static_cast<size_t>(p.keys)) * std::abs(exact.attention.probabilities[i]) + 0x1p-126;
    });
    record_error("attention_full", table, std::max(out.worst, weights.worst));
    CAPTURE(out.describe(), weights.describe());
    CHECK(out.ok());
    CHECK(weights.ok());
  });
}

}  // namespace

TEST_CASE("attention_full: within the bound of every element's own terms") {
  Random random(1);
  int64_t number = 0;
  for (const int64_t length : {1, 2, 7, 16, 17, 25, 52}) {
    for (const int64_t width : {1, 8, 17, 64, 80}) {
      CAPTURE(length, width, number);
      check_bound(with_terms(numbers(length, length, width, random), number, random), number);
      ++number;
    }
  }
  for (number = 0; number < 16; ++number) {  // a cache of 19 keys; more queries than keys; a picture
    CAPTURE(number);
    check_bound(with_terms(numbers(5, 24, 24, random), number, random), number);
    check_bound(with_terms(numbers(31, 9, 16, random), number, random), number);
  }
  check_bound(with_terms(numbers(197, 197, 64, random), 15, random), 2);
}

TEST_CASE("attention_full: a query whose every key is hidden sees them all alike") {
  Random random(2);
  for (const int64_t keys : {1, 2, 16, 32}) {
    Problem p = numbers(26, keys, 20, random);
    p.v = random.integer_vector(keys * p.width, -64, 64);
    p.bias.assign(static_cast<size_t>(p.queries * keys), -FLT_MAX);
    p.head_scale = 2.0f;
    for_each_table([&](const KernelTable& table) {
      const Result got = run(table, p, 0, p.queries);
      for (const float w : got.weights) CHECK(w == 2.0f / static_cast<float>(keys));
      for (int64_t c = 0; c < p.width; ++c) {
        float sum = 0;
        for (int64_t j = 0; j < keys; ++j) sum += p.v[static_cast<size_t>(j * p.width + c)];
        for (int64_t i = 0; i < p.queries; ++i)
          CHECK(got.out[static_cast<size_t>(i * p.width + c)] == 2.0f * sum / static_cast<float>(keys));
      }
    });
  }
}

TEST_CASE("attention_full: a bias beyond f32 is what IEEE arithmetic makes of it") {
  Random random(3);
  for (const float bad : {NAN, std::numeric_limits<float>::infinity()}) {
    Problem p = numbers(27, 19, 24, random);
    p.bias.assign(static_cast<size_t>(p.queries * p.keys), 0.0f);
    const Problem clean = p;
    p.bias[static_cast<size_t>(25 * p.keys + 18)] = bad;
    for (int64_t j = 0; j < p.keys; ++j) p.bias[static_cast<size_t>(3 * p.keys + j)] = -HUGE_VALF;
    for_each_table([&](const KernelTable& table) {
      const Result got = run(table, p, 0, p.queries), good = run(table, clean, 0, p.queries);
      int64_t wrong = 0;
      for (int64_t i = 0; i < p.queries; ++i) {
        for (int64_t c = 0; c < p.width; ++c) {
          const auto at = static_cast<size_t>(i * p.width + c);
          wrong += i == 25 || i == 3 ? !std::isnan(got.out[at]) : got.out[at] != good.out[at];
        }
      }
      CHECK(wrong == 0);
    });
  }
}

TEST_CASE("attention_full: a query's bits depend on that query, its terms and the keys alone") {
  Random random(4);
  for (const int64_t number : {0, 3, 6, 15}) {
    const Problem p = with_terms(numbers(29, 33, 24, random), number, random);
    for_each_table([&](const KernelTable& table) {
      const Result whole = run(table, p, 0, p.queries);
      for (const int64_t count : {1, 7, 24}) {
        for (int64_t first = 0; first < p.queries; first += count) {
          const int64_t some = std::min(count, p.queries - first);
          const Result part = run(table, p, first, some, first);
          const auto piece = [&](const std::vector<float>& v, int64_t columns) {
            return std::span(v).subspan(static_cast<size_t>(first * columns), static_cast<size_t>(some * columns));
          };
          CHECK(first_difference(part.out, piece(whole.out, p.width)) == -1);
          CHECK(first_difference(part.weights, piece(whole.weights, p.keys)) == -1);
        }
      }
    });
  }
}

}  // namespace tw::test
