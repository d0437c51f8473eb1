#include "cli/nearest.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <numeric>
#include <thread>

namespace tuwen_cli {
namespace {

// Accumulators side by side, which the compiler keeps in vector registers.
constexpr size_t kLanes = 16;
// Rows that stay in the nearest cache while several queries go over them.
constexpr size_t kRowsAtOnce = 64, kQueriesAtOnce = 16;

void scores_of(const tuwen::Matrix& queries, size_t first, size_t count, const tuwen::Matrix& rows,
               std::vector<float>& scores) {
  scores.resize(count * rows.rows);
  for (size_t begin = 0; begin < rows.rows; begin += kRowsAtOnce) {
    const size_t end = std::min(rows.rows, begin + kRowsAtOnce);
    for (size_t q = 0; q < count; ++q) {
      for (size_t r = begin; r < end; ++r) scores[q * rows.rows + r] = dot(queries.row(first + q), rows.row(r));
    }
  }
}

}  // namespace

float dot(std::span<const float> a, std::span<const float> b) {
  std::array<float, kLanes> sums{};
  const float* const x = a.data();
  const float* const y = b.data();
  size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += x[i + lane] * y[i + lane];
  }
  for (size_t lane = 0; i < a.size(); ++i, ++lane) sums[lane] += x[i] * y[i];
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

void normalise(std::span<float> vector) {
  double squares = 0;
  for (const float v : vector) squares += static_cast<double>(v) * static_cast<double>(v);
  const double norm = std::sqrt(squares);
  for (float& v : vector) v = static_cast<float>(static_cast<double>(v) / norm);
}

std::vector<size_t> largest(std::span<const float> values, size_t count) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](size_t a, size_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  order.resize(count);
  return order;
}

std::vector<std::vector<size_t>> nearest(const tuwen::Matrix& queries, const tuwen::Matrix& rows, size_t count,
                                         int threads) {
  std::vector<std::vector<size_t>> found(queries.rows);
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    std::vector<float> scores;
    for (size_t first; (first = next.fetch_add(kQueriesAtOnce)) < queries.rows;) {
      const size_t some = std::min(kQueriesAtOnce, queries.rows - first);
      scores_of(queries, first, some, rows, scores);
      for (size_t q = 0; q < some; ++q) {
        found[first + q] = largest(std::span(scores).subspan(q * rows.rows, rows.rows), count);
      }
    }
  };
  const size_t all = threads > 0 ? static_cast<size_t>(threads) : std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::jthread> team;
  for (size_t t = 1; t < std::min(all, queries.rows / kQueriesAtOnce + 1); ++t) team.emplace_back(work);
  work();
  return found;
}

}  // namespace tuwen_cli
