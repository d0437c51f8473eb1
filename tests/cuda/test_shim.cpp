// The host shim itself: what it computes, and that it reports what hardware leaves undefined.
#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "kernels/cuda/host_shim/block.h"
#include "kernels/cuda/launch.h"
#include "tests/cuda/under_test.h"
#include "tests/support/random.h"

namespace tw::test {
namespace {

using cuda::copies_commit;
using cuda::copies_wait;
using cuda::copy_async;
using cuda::kAllLanes;
using cuda::thread_x;

void run_block(int threads, const std::function<void()>& kernel, size_t shared = 0) {
  shim::run({{1, 1, 1}, {static_cast<unsigned>(threads), 1, 1}, shared}, kernel);
}
// The message of the error that the block ends with; empty if it runs through.
std::string error_of(int threads, const std::function<void()>& kernel, size_t shared = 0) {
  try {
    run_block(threads, kernel, shared);
  } catch (const shim::BlockError& error) {
    return error.what();
  }
  return "";
}
auto mentions(const std::string& text) { return Catch::Matchers::Contains(text); }

}  // namespace

TEST_CASE("shim: every thread of every block runs once") {
  std::vector<int> seen(2 * 3 * 2 * 8);
  shim::run({{2, 3, 2}, {4, 2, 1}, 0}, [&] {
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    seen[block * 8 + threadIdx.y * blockDim.x + threadIdx.x] += 1;
  });
  CHECK(seen == std::vector<int>(seen.size(), 1));
}

TEST_CASE("shim: a barrier parts what is before it from what is behind it") {
  in_every_order([] {
    std::vector<int> got(70);
    run_block(70, [&] {
      TUWEN_SHARED(int, numbers, 70);
      for (int round = 0; round < 3; ++round) {
        numbers[thread_x()] = 100 * round + thread_x();
        __syncthreads();
        got[static_cast<size_t>(thread_x())] = numbers[69 - thread_x()];
        __syncthreads();
      }
    });
    for (int i = 0; i < 70; ++i) CHECK(got[static_cast<size_t>(i)] == 200 + 69 - i);
  });
}

TEST_CASE("shim: without the barrier some order shows it") {
  bool differs = false;
  for (const shim::Order order : {shim::Order::forward, shim::Order::reverse}) {
    shim::set_settings({order});
    run_block(64, [&] {
      TUWEN_SHARED(int, numbers, 64);
      numbers[thread_x()] = thread_x();
      differs = differs || numbers[63 - thread_x()] != 63 - thread_x();
    });
  }
  shim::set_settings({});
  CHECK(differs);
}

TEST_CASE("shim: barriers that not all threads reach") {
  CHECK_THAT(error_of(64,
                      [] {
                        if (thread_x() < 40) __syncthreads();
                      }),
             mentions("has ended"));
  CHECK_THAT(error_of(64,
                      [] {
                        if (thread_x() == 3) return;
                        __syncthreads();
                      }),
             mentions("thread (3, 0, 0)"));
  CHECK_THAT(error_of(64,
                      [] {
                        if (thread_x() < 32) {
                          __syncthreads();
                        } else {
                          __syncthreads();
                        }
                      }),
             mentions("but thread (0, 0, 0) of block (0, 0, 0) is at __syncthreads"));
  CHECK_THAT(error_of(64,
                      [] {
                        if (thread_x() == 0) {
                          __syncthreads();
                        } else {
                          __syncwarp();
                        }
                      }),
             mentions("waits"));
}

TEST_CASE("shim: shuffles") {
  run_block(64, [] {
    const int lane = thread_x() % 32;
    const auto value = static_cast<float>(thread_x());
    const bool right =
        __shfl_xor_sync(kAllLanes, value, 5) == static_cast<float>(thread_x() ^ 5) &&
        __shfl_sync(kAllLanes, value, 9) == static_cast<float>(thread_x() / 32 * 32 + 9) &&
        __shfl_down_sync(kAllLanes, value, 4) == static_cast<float>(lane < 28 ? thread_x() + 4 : thread_x());
    if (!right) shim::fail("a shuffle gave another lane's value");
    if (cuda::warp_sum(static_cast<float>(lane)) != 496.0f) shim::fail("sum");
    if (cuda::warp_max(static_cast<float>(-lane)) != 0.0f) shim::fail("maximum");
    if (cuda::quad_sum(static_cast<float>(lane)) != static_cast<float>(lane / 4 * 16 + 6)) shim::fail("quad");
  });
  // Lanes 0 to 7 by themselves.
  run_block(32, [] {
    if (thread_x() < 8 && __shfl_xor_sync(0xFFu, 1.0f, 4) != 1.0f) shim::fail("half a warp");
  });
}

TEST_CASE("shim: lanes that are not where their warp is") {
  CHECK_THAT(error_of(32,
                      [] {
                        if (thread_x() != 31) __shfl_xor_sync(kAllLanes, 1.0f, 1);
                      }),
             mentions("thread (31, 0, 0)"));
  CHECK_THAT(error_of(32, [] { __shfl_xor_sync(thread_x() == 5 ? 0xFFFFu : kAllLanes, 1.0f, 1); }),
             mentions("different masks"));
  CHECK_THAT(error_of(32, [] { __shfl_xor_sync(0xFFu, 1.0f, 1); }), mentions("not in its own mask"));
  CHECK_THAT(error_of(32,
                      [] {
                        if (thread_x() < 8) __shfl_xor_sync(0xFFu, 1.0f, 8);
                      }),
             mentions("outside of the mask"));
  CHECK_THAT(error_of(16, [] { __syncwarp(); }), mentions("absent lane"));
  CHECK_THAT(error_of(32,
                      [] {
                        if (thread_x() % 2 == 0) {
                          __syncwarp();
                        } else {
                          __shfl_sync(kAllLanes, 1, 0);
                        }
                      }),
             mentions("but thread (0, 0, 0)"));
}

TEST_CASE("shim: shared memory begins as poison, and what is written behind it is noticed") {
  uint32_t first = 0;
  run_block(
      32, [&] { first = *reinterpret_cast<const uint32_t*>(shim::dynamic_shared()); }, 64);
  CHECK(first == shim::kPoison);
#ifndef __SANITIZE_ADDRESS__
  CHECK_THAT(error_of(
                 32,
                 [] {
                   volatile auto* past = reinterpret_cast<volatile float*>(shim::dynamic_shared()) + 16;
                   *past = 1.0f;
                 },
                 64),
             mentions("written behind dynamic shared memory"));
#endif
}

TEST_CASE("shim: asynchronous copies arrive when they are waited for") {
  alignas(16) float from[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  run_block(
      1,
      [&] {
        auto* to = reinterpret_cast<float*>(shim::dynamic_shared());
        const auto* bits = reinterpret_cast<const uint32_t*>(to);
        copy_async<16>(to, from, 16);
        copies_commit();
        copy_async<16>(to + 4, from + 4, 8);
        copy_async<4>(to + 8, from, 0);
        copies_commit();
        if (bits[0] != shim::kPoison || bits[8] != shim::kPoison) shim::fail("arrived early");
        copies_wait<1>();
        if (to[3] != 4 || bits[4] != shim::kPoison) shim::fail("not exactly the oldest group");
        copies_wait<0>();
        if (to[5] != 6 || to[6] != 0 || to[8] != 0) shim::fail("what is left out is zero");
      },
      64);
  const auto copy = [&](auto how) {
    return error_of(
        1,
        [&] {
          how(reinterpret_cast<float*>(shim::dynamic_shared()));
          copies_commit();
        },
        64);
  };
  CHECK_THAT(copy([&](float* to) { copy_async<16>(to, from, 16); }), mentions("under way"));
  CHECK_THAT(copy([&](float* to) { copy_async<16>(to + 1, from, 16); }), mentions("to a misaligned"));
  CHECK_THAT(copy([&](float* to) { copy_async<16>(to, from + 1, 16); }), mentions("from a misaligned"));
  CHECK_THAT(copy([&](float* to) { copy_async<16>(to + 16, from, 16); }), mentions("outside of shared memory"));
  CHECK_THAT(error_of(
                 1, [&] { copy_async<4>(shim::dynamic_shared(), from, 4); }, 64),
             mentions("not committed"));
}

TEST_CASE("shim: mma and ldmatrix have the layouts of the PTX ISA") {
  // Integers, so that the product is exact. Addresses are computed here from the formulas of the ISA's text.
  Random random(3);
  alignas(16) uint16_t a[16][16], bt[8][16];  // b transposed: row n of bt is column n of b
  for (auto& row : a)
    for (auto& v : row) v = f32_to_bf16(static_cast<float>(random.integer(-8, 8)));
  for (auto& row : bt)
    for (auto& v : row) v = f32_to_bf16(static_cast<float>(random.integer(-8, 8)));
  std::vector<float> d(16 * 8, NAN), d2(16 * 8, NAN);
  run_block(
      32,
      [&] {
        auto* shared = reinterpret_cast<uint16_t*>(shim::dynamic_shared());  // a [16][16], then bt [8][16]
        for (int i = thread_x(); i < 16 * 16; i += 32) shared[i] = a[i / 16][i % 16];
        for (int i = thread_x(); i < 8 * 16; i += 32) shared[256 + i] = bt[i / 16][i % 16];
        __syncwarp();
        const int lane = thread_x(), group = lane >> 2, in_group = lane % 4;
        const auto pair = [](const uint16_t* p) { return static_cast<uint32_t>(p[0] | p[1] << 16); };
        // "row = groupID for a0, a1, a4, a5, else groupID + 8; column = threadID_in_group * 2 + (i & 1), + 8 for i >=
        // 4"
        const uint32_t by_hand[4] = {pair(&a[group][in_group * 2]), pair(&a[group + 8][in_group * 2]),
                                     pair(&a[group][in_group * 2 + 8]), pair(&a[group + 8][in_group * 2 + 8])};
        uint32_t loaded[4], b[4];
        cuda::ldmatrix_x4(loaded, shared + (lane % 16) * 16 + lane / 16 * 8);
        for (int i = 0; i < 4; ++i)
          if (loaded[i] != by_hand[i]) shim::fail("ldmatrix");
        cuda::ldmatrix_x4(b, shared + 256 + (lane % 8) * 16 + (lane / 8 % 2) * 8);
        if (b[0] != pair(&bt[group][in_group * 2]) || b[1] != pair(&bt[group][in_group * 2 + 8])) shim::fail("b");
        float sum[4] = {1, 1, 1, 1};
        cuda::mma<DType::bf16>(sum, loaded, b[0], b[1]);
        for (int i = 0; i < 4; ++i)
          d[static_cast<size_t>((group + (i < 2 ? 0 : 8)) * 8 + in_group * 2 + (i & 1))] = sum[i];
        // The transposed load of a gives the fragments of its transpose.
        uint32_t t[4];
        cuda::ldmatrix_x4_transposed(t, shared + (lane % 16) * 16 + lane / 16 * 8);
        const auto across = [&](int row, int column) {
          return static_cast<uint32_t>(a[row][column] | a[row + 1][column] << 16);
        };
        if (t[0] != across(in_group * 2, group) || t[1] != across(in_group * 2 + 8, group) ||
            t[2] != across(in_group * 2, group + 8))
          shim::fail("ldmatrix.trans");
      },
      (256 + 128) * 2);
  for (int r = 0; r < 16; ++r) {
    for (int c = 0; c < 8; ++c) {
      float expected = 1;
      for (int k = 0; k < 16; ++k) expected += bf16_to_f32(a[r][k]) * bf16_to_f32(bt[c][k]);
      CHECK(d[static_cast<size_t>(r * 8 + c)] == expected);
    }
  }
}

TEST_CASE("shim: rows of a matrix that share banks are counted") {
  const auto load = [](int row_bytes) {
    const uint64_t before = shim::bank_conflicts();
    run_block(
        32,
        [&] {
          uint32_t r[4];
          cuda::ldmatrix_x4(r, shim::dynamic_shared() + thread_x() * row_bytes);
        },
        32 * 144);
    return shim::bank_conflicts() - before;
  };
  CHECK(load(16) == 0);
  CHECK(load(144) == 0);
  CHECK(load(128) == 4);
  CHECK(load(32) == 4);
}

TEST_CASE("shim: launches that hardware refuses") {
  CHECK_THROWS_AS(run_block(0, [] {}), shim::BlockError);
  CHECK_THROWS_AS(run_block(1025, [] {}), shim::BlockError);
  CHECK_THROWS_AS(shim::run({{1, 65536, 1}, {1, 1, 1}, 0}, [] {}), shim::BlockError);
  CHECK_THAT(error_of(1, [] { shim::run({{1, 1, 1}, {1, 1, 1}, 0}, [] {}); }), mentions("from within"));
}

}  // namespace tw::test
