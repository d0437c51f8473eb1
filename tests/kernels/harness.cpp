#include "tests/kernels/harness.h"

#include <cstring>
#include <sstream>

#include "kernels/select.h"
#include "tests/support/packed.h"

namespace tw::test {
namespace {

constexpr uint32_t kPoison = 0x7FBF8234;  // Guarded's

bool is_poison(float f) { return std::bit_cast<uint32_t>(f) == kPoison; }
int64_t span_of(int64_t rows, int64_t columns, int64_t stride) { return rows == 0 ? 0 : (rows - 1) * stride + columns; }

}  // namespace

std::vector<const KernelTable*> tables_under_test() {
  std::vector<const KernelTable*> tables = available_tables(query_cpu());
  tables.push_back(&twin_table());
  return tables;
}

GuardedMatrix::GuardedMatrix(int64_t rows, int64_t columns, Layout layout)
    : rows_(rows),
      columns_(columns),
      stride_(columns + layout.gap),
      memory_(span_of(rows, columns, columns + layout.gap), layout.edge, layout.offset) {}

GuardedMatrix::GuardedMatrix(int64_t rows, int64_t columns, std::span<const float> values, Layout layout)
    : GuardedMatrix(rows, columns, layout) {
  for (int64_t r = 0; r < rows; ++r)
    std::copy_n(values.begin() + r * columns, static_cast<size_t>(columns), memory_.data() + r * stride_);
}

GuardedMatrix& GuardedMatrix::freeze() {
  memory_.freeze();
  return *this;
}

std::vector<float> GuardedMatrix::values() const {
  std::vector<float> dense;
  dense.reserve(static_cast<size_t>(rows_ * columns_));
  for (int64_t r = 0; r < rows_; ++r) {
    const float* row = memory_.data() + r * stride_;
    dense.insert(dense.end(), row, row + columns_);
  }
  return dense;
}

std::string GuardedMatrix::damage() const {
  std::ostringstream out;
  for (int64_t i = 0; i < memory_.size() && out.str().empty(); ++i) {
    const int64_t r = i / stride_, c = i % stride_;
    const bool inside = c < columns_;
    if (inside == is_poison(memory_.data()[i])) {
      out << (inside ? "not written: " : "written outside: ") << "row " << r << ", column " << c;
    }
  }
  if (out.str().empty() && !memory_.surroundings_intact()) out << "written in front of or behind the matrix";
  return out.str();
}

Guarded<float> guarded_input(std::span<const float> values, Layout layout) {
  Guarded<float> memory(static_cast<int64_t>(values.size()), values, layout.edge, layout.offset);
  memory.freeze();
  return memory;
}

Guarded<float> guarded_weights(std::span<const float> weights, int64_t n, int64_t k) {
  const PackedMatrix packed = packed_weights(weights, n, k, DType::f32);
  const auto floats = static_cast<size_t>(packed.bytes()) / sizeof(float);
  return guarded_input({packed.f32_strip_at(0), floats});
}

int64_t first_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return static_cast<int64_t>(std::min(a.size(), b.size()));
  for (size_t i = 0; i < a.size(); ++i) {
    const bool same = std::bit_cast<uint32_t>(a[i]) == std::bit_cast<uint32_t>(b[i]);
    if (!same && !(std::isnan(a[i]) && std::isnan(b[i]))) return static_cast<int64_t>(i);
  }
  return -1;
}

}  // namespace tw::test
