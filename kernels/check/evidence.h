// What the checks are made of: random numbers, matrices that notice stray accesses, and a verdict that collects
// deviations.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "kernels/check/check.h"

namespace tw::check {

constexpr double kUnit = 0x1p-24;     // unit roundoff of f32
constexpr double kBf16Unit = 0x1p-8;  // and of bf16

// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
class Generator {
 public:
  explicit Generator(uint64_t seed) : state_(seed) {}

  uint64_t bits() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  float uniform(float low, float high) { return low + (high - low) * static_cast<float>(bits() >> 40) * 0x1p-24f; }
  // Of [low, high], both included.
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
  }

 private:
  uint64_t state_;
};

// A matrix [rows, columns] of f32 whose rows lie apart, one float off any alignment, with a NaN that no computation
// produces between, before and behind them.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t columns)
      : rows_(rows), columns_(columns), memory_(static_cast<size_t>(kMargin + (rows + 1) * stride()), poison()) {}
  template <class Draw>
  Matrix(int64_t rows, int64_t columns, Draw draw) : Matrix(rows, columns) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c) at(r, c) = static_cast<float>(draw());
  }

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t stride() const { return columns_ + kGap; }
  float* data() { return memory_.data() + kMargin; }
  const float* data() const { return memory_.data() + kMargin; }
  float& at(int64_t r, int64_t c) { return data()[r * stride() + c]; }
  float at(int64_t r, int64_t c) const { return data()[r * stride() + c]; }
  double value(int64_t r, int64_t c) const { return static_cast<double>(at(r, c)); }
  // Every element was written, nothing else was.
  bool intact() const {
    for (int64_t i = -kMargin; i < static_cast<int64_t>(memory_.size()) - kMargin; ++i) {
      const bool inside = i >= 0 && i < rows_ * stride() && i % stride() < columns_;
      const bool poisoned = std::bit_cast<uint32_t>(data()[i]) == kPoison;
      if (inside == poisoned) return false;
    }
    return true;
  }

 private:
  static constexpr int64_t kMargin = 5, kGap = 3;  // floats
  static constexpr uint32_t kPoison = 0x7FBF8234;
  static float poison() { return std::bit_cast<float>(kPoison); }

  int64_t rows_, columns_;
  std::vector<float> memory_;
};

// A matrix [rows, columns] of bf16 whose rows lie apart, with a NaN that no computation produces around them. Rows
// begin at even elements and may be read up to the depth that products need, as those of activations.
class Bf16Matrix {
 public:
  Bf16Matrix(int64_t rows, int64_t columns)
      : rows_(rows),
        columns_(columns),
        stride_(bf16_depth(columns) + 2),
        memory_(static_cast<size_t>((rows + 2) * stride_), kPoison) {}
  // `m` rounded, zeros up to the depth.
  explicit Bf16Matrix(const Matrix& m) : Bf16Matrix(m.rows(), m.columns()) {
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < bf16_depth(columns_); ++c)
        data()[r * stride_ + c] = c < columns_ ? tw::f32_to_bf16(m.at(r, c)) : 0;
  }

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t stride() const { return stride_; }
  uint16_t* data() { return memory_.data() + stride_; }
  const uint16_t* data() const { return memory_.data() + stride_; }
  float at(int64_t r, int64_t c) const { return tw::bf16_to_f32(data()[r * stride_ + c]); }
  double value(int64_t r, int64_t c) const { return static_cast<double>(at(r, c)); }
  // Every element was written, nothing else was. Only for outputs.
  bool intact() const {
    for (int64_t i = -stride_; i < static_cast<int64_t>(memory_.size()) - stride_; ++i) {
      const bool inside = i >= 0 && i < rows_ * stride_ && i % stride_ < columns_;
      if (inside == (data()[i] == kPoison)) return false;
    }
    return true;
  }

 private:
  static constexpr uint16_t kPoison = 0x7FB5;
  int64_t rows_, columns_, stride_;
  std::vector<uint16_t> memory_;
};

// Memory in whole cache lines, as packed weights and scratch are.
template <class T>
class Lines {
 public:
  explicit Lines(int64_t count) : lines_(static_cast<size_t>(count) * sizeof(T) / sizeof(Line) + 1) {}
  T* data() { return reinterpret_cast<T*>(lines_.data()); }

 private:
  struct alignas(64) Line {
    unsigned char bytes[64];
  };
  std::vector<Line> lines_;  // zero
};

// Memory that a kernel may write and has to write before it reads.
inline Lines<float> scratch_of(int64_t count) {
  Lines<float> scratch(count);
  std::fill_n(scratch.data(), count, std::numeric_limits<float>::quiet_NaN());
  return scratch;
}

// Weights [n, k] packed as kernel_table.h says, the last strip padded with zeros.
inline Lines<float> pack_f32(const Matrix& w) {
  const int64_t n = w.rows(), k = w.columns();
  Lines<float> packed((n + kStrip - 1) / kStrip * kStrip * k);
  for (int64_t c = 0; c < n; ++c)
    for (int64_t i = 0; i < k; ++i) packed.data()[c / kStrip * kStrip * k + i * kStrip + c % kStrip] = w.at(c, i);
  return packed;
}

// Collects what was found wrong with one entry.
class Verdict {
 public:
  // |got - expected| <= bound. NaN and infinity must be met.
  void near(const char* what, int64_t row, int64_t column, float got, double expected, double bound) {
    const auto value = static_cast<double>(got);
    const bool same = std::isnan(expected) ? std::isnan(value) : value == expected;
    const double error = same ? 0 : std::abs(value - expected) / bound;  // anything / 0 and NaN are too much
    if (error > worst_) worst_ = error;
    if (error <= 1) return;
    if (std::isnan(error)) worst_ = std::numeric_limits<double>::infinity();
    fail(std::string(what) + ": element [" + std::to_string(row) + ", " + std::to_string(column) + "] is " +
         std::to_string(got) + ", expected " + std::to_string(expected) + " within " + std::to_string(bound));
  }
  void exact(const char* what, int64_t row, int64_t column, float got, double expected) {
    near(what, row, column, got, expected, 0);
  }
  // All of an output was written and nothing else.
  template <class AnyMatrix>
  void intact(const char* what, const AnyMatrix& m) {
    if (!m.intact()) fail(std::string(what) + ": an element was not written, or something else was");
  }
  void require(bool condition, const char* what) {
    if (!condition) fail(what);
  }
  CheckResult result(const char* name) const { return {name, detail_.empty(), worst_, detail_}; }

 private:
  void fail(std::string detail) {
    if (detail_.empty()) detail_ = std::move(detail);
  }

  double worst_ = 0;
  std::string detail_;
};

// One per entry of the table.
void linear(const KernelTable& table, Generator& random, Verdict& verdict);
void strassen_sums(const KernelTable& table, Generator& random, Verdict& verdict);
void linear_strassen(const KernelTable& table, Generator& random, Verdict& verdict);
void linear_bf16(const KernelTable& table, Generator& random, Verdict& verdict);
void linear_int8(const KernelTable& table, Generator& random, Verdict& verdict);
void quantize(const KernelTable& table, Generator& random, Verdict& verdict);
void round_e4m3(const KernelTable& table, Generator& random, Verdict& verdict);
void attention_full(const KernelTable& table, Generator& random, Verdict& verdict);
void attention_bf16(const KernelTable& table, Generator& random, Verdict& verdict);
void attention(const KernelTable& table, Generator& random, Verdict& verdict);
void absorb_keys(const KernelTable& table, Generator& random, Verdict& verdict);
void softmax_columns(const KernelTable& table, Generator& random, Verdict& verdict);
void weigh_rows(const KernelTable& table, Generator& random, Verdict& verdict);
void layer_norm(const KernelTable& table, Generator& random, Verdict& verdict);
void softmax(const KernelTable& table, Generator& random, Verdict& verdict);
void l2_normalize(const KernelTable& table, Generator& random, Verdict& verdict);
void activation(const KernelTable& table, Generator& random, Verdict& verdict);
void embed(const KernelTable& table, Generator& random, Verdict& verdict);
void add_periodic(const KernelTable& table, Generator& random, Verdict& verdict);
void patches_u8(const KernelTable& table, Generator& random, Verdict& verdict);
void patches_f32(const KernelTable& table, Generator& random, Verdict& verdict);
void similarity(const KernelTable& table, Generator& random, Verdict& verdict);
void f16_to_f32(const KernelTable& table, Generator& random, Verdict& verdict);
void bf16_to_f32(const KernelTable& table, Generator& random, Verdict& verdict);
void f32_to_bf16(const KernelTable& table, Generator& random, Verdict& verdict);

}  // namespace tw::check
