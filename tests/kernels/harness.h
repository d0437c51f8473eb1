// What every kernel test shares: the tables under test, matrices that lie in memory in awkward ways and notice what a
// kernel does around them, and a record of the worst errors seen.
#pragma once

#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernel_table.h"
#include "kernels/pack.h"
#include "tests/support/error_bound.h"
#include "tests/support/guarded.h"
#include "tests/support/oracle.h"
#include "tests/support/random.h"

namespace tw::test {

// Every table this CPU can run, "reference" first, and "twin": the shared templates on one lane (kernels/cpu/lanes.h),
// compiled without any instruction-set flag.
std::vector<const KernelTable*> tables_under_test();
const KernelTable& twin_table();

// Runs the section once per table, with its name in every message.
template <class Body>
void for_each_table(Body body) {
  for (const KernelTable* table : tables_under_test()) {
    INFO("table " << table->name);
    body(*table);
  }
}

// The names of transformers 4.37.2 (ACT2CLS), and selu.
constexpr std::string_view kActivationNames[] = {
    "gelu",      "gelu_python", "gelu_new",   "gelu_accurate", "gelu_pytorch_tanh",
    "gelu_fast", "gelu_10",     "quick_gelu", "silu",          "swish",
    "relu",      "relu2",       "relu6",      "leaky_relu",    "selu",
    "mish",      "laplace",     "linear",     "sigmoid",       "tanh"};

// How a matrix lies in memory: at which end of its pages, how many floats away from the edge (offset 1 is 4 bytes, so
// not even 8-byte aligned), and how many floats between two rows.
struct Layout {
  Edge edge = Edge::end;
  int64_t offset = 0;
  int64_t gap = 0;
};
// Dense at the end of a page; dense at its beginning; and strided and misaligned at either end.
constexpr Layout kLayouts[] = {{Edge::end, 0, 0}, {Edge::begin, 1, 0}, {Edge::end, 3, 5}, {Edge::begin, 0, 1}};
constexpr Layout layout_number(int64_t n) { return kLayouts[n % 4]; }

// A matrix [rows, columns] next to an inaccessible page, NaN in front, between the rows and behind.
class GuardedMatrix {
 public:
  // An output: every element is poison until it is written.
  GuardedMatrix(int64_t rows, int64_t columns, Layout layout = {});
  // An input or an output to be updated: `values` dense [rows, columns].
  GuardedMatrix(int64_t rows, int64_t columns, std::span<const float> values, Layout layout = {});

  float* data() { return memory_.data(); }
  float* row(int64_t r) { return memory_.data() + r * stride_; }
  int64_t stride() const { return stride_; }
  // From here on a write ends the test program.
  GuardedMatrix& freeze();
  std::vector<float> values() const;
  // What a kernel did that it should not: elements not written, or something written outside. Empty if all is well.
  std::string damage() const;

 private:
  int64_t rows_, columns_, stride_;
  Guarded<float> memory_;
};

// Dense values in guarded memory, frozen: a vector input.
Guarded<float> guarded_input(std::span<const float> values, Layout layout = {});

// Weights [n, k] packed by PackedMatrix, then moved next to an inaccessible page (which leaves them 64-byte aligned).
Guarded<float> guarded_weights(std::span<const float> weights, int64_t n, int64_t k);

// Index of the first element whose bits differ, -1 if none does. Sizes must agree. Any NaN equals any other.
int64_t first_difference(std::span<const float> a, std::span<const float> b);

// Sum rounding errors are random: but for a probability of about 2 n exp(-32), |error| <= 8 sqrt(n) eps sum|terms|
// (Higham and Mary 2019, "A new approach to probabilistic rounding error analysis", theorem 2.4 with lambda = 8), which
// is the tighter bound from n = 64 on. Seeds are fixed, so a test that holds keeps holding.
inline double likely_depth(double depth) { return std::min(depth, 8.0 * std::sqrt(depth)); }

// Remembers the largest `ratio` = error / bound seen for (operation, table); TUWEN_TEST_ACCURACY=1 prints them all at
// the end of the run.
void record_error(const std::string& operation, const std::string& table, double ratio);
inline void record_error(const std::string& operation, const KernelTable& table, double ratio) {
  record_error(operation, std::string(table.name), ratio);
}

}  // namespace tw::test
