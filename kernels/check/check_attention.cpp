// attention_full: every term that may be added, one at a time and all at once.
#include <algorithm>
#include <cfloat>

#include "kernels/check/evidence.h"

namespace tw::check {
namespace {

struct Terms {
  const char* name;
  bool bias, causal, distances, of_keys;
  float head_scale;
};
constexpr Terms kTerms[] = {{"plain", false, false, false, false, 1},    {"bias", true, false, false, false, 1},
                            {"causal", false, true, false, false, 1},    {"distances", false, false, true, false, 1},
                            {"of keys", false, false, true, true, 0.5f}, {"all", true, true, true, true, -2}};

struct Shape {
  int64_t queries, keys, width;
};
constexpr Shape kShapes[] = {{1, 1, 1}, {7, 7, 8}, {16, 17, 24}, {25, 33, 16}, {30, 52, 64}, {3, 100, 80}};

}  // namespace

void attention_full(const KernelTable& table, Generator& random, Verdict& verdict) {
  const auto number = [&] { return random.uniform(-1, 1); };
  for (const Shape& s : kShapes) {
    for (const Terms& t : kTerms) {
      const Matrix q(s.queries, s.width, number), k(s.keys, s.width, number), v(s.keys, s.width, number);
      Matrix bias(s.queries, s.keys, number), out(s.queries, s.width), weights(s.queries, s.keys);
      for (int64_t i = 0; i < s.queries; ++i)
        for (int64_t j = 0; j < s.keys; ++j)
          if (i % 3 == 1 || (i + j) % 4 == 0) bias.at(i, j) = -FLT_MAX;  // every third query sees nothing
      std::vector<float> distances(static_cast<size_t>((s.queries + s.keys) * s.width));
      for (float& d : distances) d = number();
      Lines<float> scratch = scratch_of(attention_scratch(s.keys, s.width));
      const int64_t first = s.keys - s.queries;  // of which the causal query 0 sees itself
      const float scale = 0.5f;
      table.attention_full({.base = {.q = q.data(),
                                     .k = k.data(),
                                     .v = v.data(),
                                     .q_stride = q.stride(),
                                     .k_stride = k.stride(),
                                     .v_stride = v.stride(),
                                     .out = out.data(),
                                     .out_stride = out.stride(),
                                     .queries = s.queries,
                                     .keys = s.keys,
                                     .width = s.width,
                                     .scale = scale,
                                     .scratch = scratch.data()},
                            .bias = t.bias ? bias.data() : nullptr,
                            .bias_stride = bias.stride(),
                            .causal = t.causal,
                            .causal_first = first,
                            .distances = t.distances ? distances.data() : nullptr,
                            .distance_of_first = s.keys,
                            .distance_step = 1,
                            .distances_of_keys = t.of_keys,
                            .head_scale = t.head_scale,
                            .weights = weights.data(),
                            .weights_stride = weights.stride()});
      verdict.intact(t.name, out);
      verdict.intact(t.name, weights);
      std::vector<double> p(static_cast<size_t>(s.keys));
      for (int64_t i = 0; i < s.queries; ++i) {
        double largest = -HUGE_VAL, terms = 0, sum = 0;
        for (int64_t j = 0; j < s.keys; ++j) {
          double score = 0, magnitude = 0;
          for (int64_t c = 0; c < s.width; ++c) {
            const double e =
                t.distances ? static_cast<double>(distances[static_cast<size_t>((s.keys + i - j) * s.width + c)]) : 0;
            const double products[] = {q.value(i, c) * k.value(j, c), q.value(i, c) * e,
                                       t.of_keys ? k.value(j, c) * e : 0};
            for (const double product : products)
              score += static_cast<double>(scale) * product,
                  magnitude += static_cast<double>(scale) * std::abs(product);
          }
          const bool hidden = (t.bias && bias.at(i, j) == -FLT_MAX) || (t.causal && j > first + i);
          if (t.bias && !hidden) score += bias.value(i, j), magnitude += std::abs(bias.value(i, j));
          p[static_cast<size_t>(j)] = hidden ? static_cast<double>(-FLT_MAX) : score;
          largest = std::max(largest, p[static_cast<size_t>(j)]);
          terms = std::max(terms, magnitude);
        }
        for (double& x : p) sum += x = std::exp(x - largest);
        const double relative = 2 * (static_cast<double>(s.width) + 4) * terms + static_cast<double>(s.keys) + 16;
        for (double& x : p) x *= static_cast<double>(t.head_scale) / sum;
        for (int64_t j = 0; j < s.keys; ++j) {
          const double w = p[static_cast<size_t>(j)];
          verdict.near(t.name, i, j, weights.at(i, j), w, relative * kUnit * std::abs(w) + 0x1p-126);
        }
        for (int64_t c = 0; c < s.width; ++c) {
          double expected = 0, magnitude = 0;
          for (int64_t j = 0; j < s.keys; ++j) {
            expected += p[static_cast<size_t>(j)] * v.value(j, c);
            magnitude += std::abs(p[static_cast<size_t>(j)] * v.value(j, c));
          }
          verdict.near(t.name, i, c, out.at(i, c), expected, relative * kUnit * magnitude);
        }
      }
    }
  }
}

}  // namespace tw::check
