// What the host shim has of sm_90a: what it computes, and that it reports what hardware leaves undefined.
#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "kernels/cuda/device_ops_sm90.h"
#include "tests/cuda/under_test.h"
#include "tests/support/random.h"

namespace tw::test {
namespace {

using namespace tw::cuda;

constexpr size_t kShared = 40 * 1024;
constexpr int kOperandBytes = 8 * 1024;  // 64 lines

// The message of the error that a block ends with; empty if it runs through.
std::string error_of(int threads, const std::function<void()>& kernel) {
  try {
    shim::run({{1, 1, 1}, {static_cast<unsigned>(threads), 1, 1}, kShared}, kernel);
  } catch (const shim::BlockError& error) {
    return error.what();
  }
  return "";
}
auto mentions(const std::string& text) { return Catch::Matchers::Contains(text); }

// The first multiple of 1 KiB, as products address it.
unsigned char* aligned() {
  auto* shared = reinterpret_cast<unsigned char*>(shim::dynamic_shared());
  while (shared_address(shared) % 1024 != 0) ++shared;
  return shared;
}
Barrier* barrier_at(int number) {
  TUWEN_SHARED(Barrier, barriers, 4);
  return barriers + number;
}

}  // namespace

TEST_CASE("shim sm90: dynamic shared memory begins at a multiple of 128 bytes and of no more") {
  CHECK(error_of(1, [] {
          const uint32_t at = shared_address(shim::dynamic_shared());
          if (at % 128 != 0 || at % 256 == 0) shim::fail("aligned by chance");
          if (shared_address(shim::dynamic_shared() + 5) != at + 5) shim::fail("bytes");
        }) == "");
  CHECK_THAT(error_of(1, [] { shared_address(&kShared); }), mentions("outside of dynamic shared memory"));
}

TEST_CASE("shim sm90: a phase of a barrier is over when all have arrived, with all bytes") {
  alignas(16) static unsigned char from[64];
  for (int i = 0; i < 64; ++i) from[i] = static_cast<unsigned char>(i);
  in_every_order([] {
    CHECK(error_of(64, [] {
            auto* to = reinterpret_cast<unsigned char*>(shim::dynamic_shared());
            if (thread_x() == 0) {
              barrier_init(barrier_at(0), 32 + 1);
              proxy_fence();
            }
            __syncthreads();
            for (uint32_t phase = 0; phase < 3; ++phase) {
              barrier_wait(barrier_at(0), phase % 2 ^ 1);  // the phase before is over: nothing to wait for
              if (thread_x() == 40) {
                barrier_arrive_expecting(barrier_at(0), 64);
                copy_bulk(to, from, 32, barrier_at(0));
                copy_bulk(to + 32, from + 32, 32, barrier_at(0));
              } else if (thread_x() < 32) {
                copy_async<4>(to + 64 + 4 * thread_x(), from, 4);
                copies_arrive(barrier_at(0));
              }
              barrier_wait(barrier_at(0), phase % 2);
              for (int i = 0; i < 64; ++i)
                if (to[i] != i || to[64 + 2 * i] != i % 2 * 2) shim::fail("not there");
              __syncthreads();
            }
          }) == "");
  });
}

TEST_CASE("shim sm90: barriers in shared memory that do not add up") {
  const auto with_barrier = [](int expected, auto kernel) {
    return error_of(1, [=] {
      barrier_init(barrier_at(0), expected);
      proxy_fence();
      kernel(barrier_at(0), aligned());
    });
  };
  alignas(16) static const unsigned char from[64] = {};
  CHECK_THAT(with_barrier(1, [](Barrier* b, auto*) { barrier_wait(b, 0); }),
             mentions("every thread waits: thread (0, 0, 0) of block (0, 0, 0) at mbarrier.try_wait"));
  CHECK_THAT(with_barrier(2,
                          [](Barrier* b, auto*) {
                            barrier_arrive_expecting(b, 0);
                            barrier_wait(b, 0);
                          }),
             mentions("every thread waits"));
  CHECK_THAT(with_barrier(1,
                          [](Barrier* b, auto* to) {
                            barrier_arrive_expecting(b, 64);
                            copy_bulk(to, from, 32, b);
                            barrier_wait(b, 0);
                          }),
             mentions("every thread waits"));
  CHECK_THAT(with_barrier(1,
                          [](Barrier* b, auto*) {
                            barrier_arrive_expecting(b, 16);
                            barrier_arrive_expecting(b, 0);
                          }),
             mentions("more arrivals"));
  CHECK_THAT(with_barrier(1,
                          [](Barrier* b, auto* to) {
                            barrier_arrive_expecting(b, 16);
                            copy_bulk(to, from, 16, b);
                          }),
             mentions("bulk copies under way"));
  CHECK_THAT(with_barrier(1,
                          [](Barrier* b, auto* to) {
                            copy_async<16>(to, from, 16);
                            copies_arrive(b);
                          }),
             mentions("ended with asynchronous copies under way"));
  CHECK_THAT(with_barrier(1, [](Barrier* b, auto*) { barrier_wait(b, 2); }), mentions("parity"));
  CHECK_THAT(with_barrier(1, [](Barrier* b, auto*) { barrier_init(b, 1); }), mentions("again"));
  CHECK_THAT(with_barrier(0, [](Barrier*, auto*) {}), mentions("expects nobody"));
  CHECK_THAT(error_of(1, [] { barrier_wait(barrier_at(0), 0); }), mentions("not initialised"));
  CHECK_THAT(
      error_of(1, [] { barrier_init(reinterpret_cast<Barrier*>(reinterpret_cast<char*>(barrier_at(0)) + 4), 1); }),
      mentions("misaligned barrier"));
}

TEST_CASE("shim sm90: bulk copies that hardware refuses") {
  alignas(16) static const unsigned char from[64] = {};
  const auto copy = [](bool fence, auto what) {
    return error_of(1, [=] {
      barrier_init(barrier_at(0), 1);
      if (fence) proxy_fence();
      what(aligned(), barrier_at(0));
    });
  };
  CHECK_THAT(copy(true, [](auto* to, Barrier* b) { copy_bulk(to + 8, from, 16, b); }), mentions("misaligned"));
  CHECK_THAT(copy(true, [](auto* to, Barrier* b) { copy_bulk(to, from + 8, 16, b); }), mentions("misaligned"));
  CHECK_THAT(copy(true, [](auto* to, Barrier* b) { copy_bulk(to, from, 24, b); }), mentions("multiple of 16"));
  CHECK_THAT(copy(true, [](auto* to, Barrier* b) { copy_bulk(to + kShared - 1024, from, 1024, b); }),
             mentions("over the end"));
  CHECK_THAT(copy(false, [](auto* to, Barrier* b) { copy_bulk(to, from, 16, b); }), mentions("proxy fence"));
}

TEST_CASE("shim sm90: wgmma has the layouts of the PTX ISA") {
  // Operands are written here by the address formulas of the ISA's text, results are read by its accumulator formulas.
  Random random(8);
  constexpr int kRows = 64;
  const auto check = [&]<DType kType, int kColumns>() {
    constexpr int kEach = kType == DType::e4m3 ? 1 : 2, kDepth = 32 / kEach;
    std::vector<float> a(kRows * kDepth), b(kColumns * kDepth);
    for (float& v : a) v = static_cast<float>(random.integer(-4, 4));
    for (float& v : b) v = static_cast<float>(random.integer(-4, 4));
    std::vector<float> d(kRows * kColumns, NAN);
    const int first = static_cast<int>(random.integer(0, 3)) * 32;  // byte of the lines
    const std::string error = error_of(128, [&] {
      unsigned char* shared = aligned();
      const auto put = [&](int base, int line, int k, float v) {
        uint32_t at = static_cast<uint32_t>(base + line * 128 + first + k * kEach);
        at ^= (at / 128 % 8) * 16;
        if (kEach == 1) {
          shared[at] = f32_to_e4m3(v);
        } else {
          const uint16_t half = kType == DType::bf16 ? f32_to_bf16(v) : f32_to_f16(v);
          shared[at] = static_cast<unsigned char>(half), shared[at + 1] = static_cast<unsigned char>(half >> 8);
        }
      };
      for (int i = thread_x(); i < kRows * kDepth; i += 128) put(0, i / kDepth, i % kDepth, a[static_cast<size_t>(i)]);
      for (int i = thread_x(); i < kColumns * kDepth; i += 128)
        put(kOperandBytes, i / kDepth, i % kDepth, b[static_cast<size_t>(i)]);
      proxy_fence();
      __syncthreads();
      float sum[kColumns / 2];
      for (float& v : sum) v = 3.0f;
      const uint64_t x = wgmma_operand_at(wgmma_operand(shared), first),
                     w = wgmma_operand_at(wgmma_operand(shared + kOperandBytes), first);
      wgmma_fence(sum);
      wgmma<kType, true>(sum, x, w);
      wgmma<kType, true>(sum, x, w);
      wgmma_commit();
      if (!std::isnan(sum[0])) shim::fail("there too early");
      wgmma_wait<0>(sum);
      const int lane = thread_x() % 32, warp = thread_x() / 32;
      for (int i = 0; i < kColumns / 2; ++i) {
        const int row = 16 * warp + lane / 4 + (i / 2 % 2) * 8, column = 8 * (i / 4) + lane % 4 * 2 + i % 2;
        d[static_cast<size_t>(row * kColumns + column)] = sum[i];
      }
    });
    CHECK(error == "");
    int different = 0;
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns; ++c) {
        float expected = 3.0f;
        for (int k = 0; k < kDepth; ++k)
          expected += 2 * a[static_cast<size_t>(r * kDepth + k)] * b[static_cast<size_t>(c * kDepth + k)];
        different += d[static_cast<size_t>(r * kColumns + c)] != expected;
      }
    }
    CHECK(different == 0);
  };
  check.operator()<DType::bf16, 64>();
  check.operator()<DType::bf16, 128>();
  check.operator()<DType::f16, 128>();
  check.operator()<DType::e4m3, 64>();
  check.operator()<DType::e4m3, 128>();
}

TEST_CASE("shim sm90: a descriptor is what the PTX ISA says, bit by bit") {
  CHECK(error_of(1, [] {
          unsigned char* at = aligned() + 2048;
          const uint64_t operand = wgmma_operand_at(wgmma_operand(at), 64);
          if ((operand & 0x3FFF) != (shared_address(at) + 64) / 16) shim::fail("start address");
          if ((operand >> 16 & 0x3FFF) != 1) shim::fail("leading dimension");
          if ((operand >> 32 & 0x3FFF) != 1024 / 16) shim::fail("stride dimension");
          if ((operand >> 49 & 7) != 0 || operand >> 62 != 1) shim::fail("base offset or swizzle");
        }) == "");
  const auto multiply = [](uint64_t change) {
    return error_of(128, [=] {
      float sum[32] = {};
      wgmma_fence(sum);
      const uint64_t operand = wgmma_operand(aligned());
      wgmma<DType::bf16, true>(sum, operand ^ change, operand);
      wgmma_commit();
      wgmma_wait<0>(sum);
    });
  };
  CHECK(multiply(0) == "");
  CHECK_THAT(multiply(uint64_t{3} << 62), mentions("another layout"));
  CHECK_THAT(multiply(uint64_t{1} << 50), mentions("another layout"));
  CHECK_THAT(multiply(uint64_t{1} << 47), mentions("mean nothing"));
  CHECK_THAT(multiply(128 / 16), mentions("middle"));
  CHECK_THAT(multiply(112 / 16), mentions("middle"));
  CHECK_THAT(multiply(uint64_t{0x3000} << 32), mentions("outside"));
}

TEST_CASE("shim sm90: products that nobody may begin so, or leave so") {
  alignas(16) static const unsigned char from[16] = {};
  const auto run = [](auto kernel) {
    return error_of(128, [=] {
      float sum[32] = {};
      unsigned char* shared = aligned();
      if (thread_x() == 0) {
        barrier_init(barrier_at(0), 128 + 1);
        proxy_fence();
      }
      __syncthreads();
      kernel(sum, wgmma_operand(shared), shared);
    });
  };
  using Sums = float[32];
  constexpr auto begin = [](Sums& sum, uint64_t operand) {
    wgmma_fence(sum);
    wgmma<DType::bf16, true>(sum, operand, operand);
    wgmma_commit();
  };
  CHECK(run([=](Sums& sum, uint64_t operand, auto*) {
          begin(sum, operand);
          wgmma_wait<0>(sum);
        }) == "");
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto*) { begin(sum, operand); }), mentions("products under way"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto*) {
               begin(sum, operand);
               wgmma_wait<1>(sum);
             }),
             mentions("products under way"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto*) {
               wgmma_fence(sum);
               wgmma<DType::bf16, true>(sum, operand, operand);
               wgmma_wait<0>(sum);
             }),
             mentions("products under way"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto*) { wgmma<DType::bf16, true>(sum, operand, operand); }),
             mentions("without a fence"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto*) {
               begin(sum, operand);
               wgmma_wait<0>(sum);
               wgmma<DType::bf16, true>(sum, operand, operand);
             }),
             mentions("without a fence"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto*) {
               begin(sum, operand);
               sum[5] = 1.0f;
               wgmma_wait<0>(sum);
             }),
             mentions("were written to"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto*) {
               begin(sum, thread_x() == 9 ? wgmma_operand_at(operand, 32) : operand);
               wgmma_wait<0>(sum);
             }),
             mentions("lanes of a warp multiply different"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto*) {
               begin(sum, thread_x() < 32 ? wgmma_operand_at(operand, 32) : operand);
               wgmma_wait<0>(sum);
             }),
             mentions("warps of a warpgroup begin different"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto*) {
               if (thread_x() >= 96) return;
               begin(sum, operand);
               wgmma_wait<0>(sum);
             }),
             mentions("has not begun all products"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto* shared) {
               begin(sum, operand);
               copy_async<16>(shared, from, 16);
             }),
             mentions("a copy into what a product under way reads"));
  CHECK_THAT(run([=](Sums& sum, uint64_t operand, auto* shared) {
               if (thread_x() == 0) copy_bulk(shared, from, 16, barrier_at(0));
               __syncthreads();
               begin(sum, operand);
             }),
             mentions("what has not arrived"));
  const auto copied = [=](bool fence) {
    return run([=](Sums& sum, uint64_t operand, auto* shared) {
      if (thread_x() == 0) barrier_arrive_expecting(barrier_at(0), 0);
      copy_async<16>(shared + 16 * thread_x(), from, 16);
      copies_arrive(barrier_at(0));
      barrier_wait(barrier_at(0), 0);
      if (fence) proxy_fence();
      begin(sum, operand);
      wgmma_wait<0>(sum);
    });
  };
  CHECK(copied(true) == "");
  CHECK_THAT(copied(false), mentions("no proxy fence"));
}

TEST_CASE("shim sm90: of a sum of E4M3 14 bits are kept") {
  CHECK(error_of(128, [] {
          unsigned char* shared = aligned();
          for (int i = thread_x(); i < 2 * kOperandBytes; i += 128) shared[i] = 0;
          __syncthreads();
          if (thread_x() == 0)  // lines 0 and 8 of one operand and line 0 of the other have a one
            shared[0] = shared[1024] = shared[kOperandBytes] = f32_to_e4m3(1.0f);
          __syncthreads();
          float sum[32] = {16384.0f, 16385.0f, 16383.0f};
          wgmma_fence(sum);
          wgmma<DType::e4m3, true>(sum, wgmma_operand(shared), wgmma_operand(shared + kOperandBytes));
          wgmma_commit();
          wgmma_wait<0>(sum);
          for (int i = 0; thread_x() == 0 && i < 3; ++i)
            if (sum[i] != 16384.0f) shim::fail("bits");
        }) == "");
}

}  // namespace tw::test
