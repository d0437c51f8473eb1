// Operations under test: teams of real threads, outputs as operations see them, and weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "core/buffer.h"
#include "kernels/ops.h"
#include "tests/kernels/harness.h"

namespace tw::test {

// Runs body(exec) on members of a team of `count` at once, each with its own scratch. Every second time the last one
// does not come.
template <class Body>
void on_members(const KernelTable& table, int count, int64_t scratch_floats, Body body) {
  static int calls = 0;
  const int come = std::max(1, count - calls++ % 2);
  WorkFront front;
  const auto member = [&](int index) {
    Buffer scratch(std::max<int64_t>(1, scratch_floats) * 4, "scratch");
    for (int64_t i = 0; i < scratch_floats; ++i) scratch.as<float>()[i] = NAN;
    Exec exec{.kernels = &table, .member = {index, count}, .front = &front, .scratch = scratch.as<float>()};
    body(exec);
  };
  std::vector<std::thread> others;
  for (int i = 1; i < come; ++i) others.emplace_back(member, i);
  member(0);
  for (std::thread& other : others) other.join();
}

constexpr int kTeams[] = {1, 2, 3, 7};

// An output matrix as operations see it.
struct Output {
  GuardedMatrix memory;
  Tensor tensor;

  Output(int64_t rows, int64_t columns, Layout layout = {})
      : memory(rows, columns, layout), tensor{memory.data(), DType::f32, rows, columns, memory.stride()} {}
  Output(int64_t rows, int64_t columns, std::span<const float> values, Layout layout = {})
      : memory(rows, columns, values, layout), tensor{memory.data(), DType::f32, rows, columns, memory.stride()} {}
};

// Normal weights of this deviation and, if wanted, a bias.
inline Linear make_linear(int64_t n, int64_t k, bool with_bias, Random& random, double deviation = 1.0) {
  Linear linear;
  linear.weights = PackedMatrix(n, k, DType::f32, "weights");
  linear.weights.set_rows(0, n, random.normal_vector(n * k, deviation).data());
  if (with_bias) {
    linear.bias = Buffer(n * 4, "bias");
    std::ranges::copy(random.normal_vector(n), linear.bias.as<float>());
  }
  return linear;
}

}  // namespace tw::test
