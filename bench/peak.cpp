#include "bench/peak.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "bench/peak_read-inl.h"
#include "bench/statistics.h"
#include "core/buffer.h"
#include "core/error.h"

namespace tw::bench {
namespace {

struct Loop {
  const char* name;
  void (*run)(int64_t, float*);
  double operations;  // an iteration
};

Loop loop_of(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::f32_avx2:
      return {"f32 avx2", peak_avx2_fma, 16 * kPeakChains};
    case Arithmetic::f32_avx512:
      return {"f32 avx512", peak_avx512_fma, 32 * kPeakChains};
    case Arithmetic::bf16_avx512:
      return {"bf16 avx512_bf16", peak_avx512_bf16, 64 * kPeakChains};
    case Arithmetic::bf16_amx:
      return {"bf16 amx", peak_amx_bf16, 4 * 16384};
    case Arithmetic::int8_avx512:
      return {"int8 avx512_vnni", peak_avx512_int8, 128 * kPeakChains};
    case Arithmetic::int8_amx:
      return {"int8 amx", peak_amx_int8, 4 * 32768};
  }
  return {};
}

// Runs work(thread) on all threads at once and returns the seconds between the common start and the last end.
template <class Work>
double together(int threads, Work work) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> others;
  const auto run = [&](int thread) {
    ready.fetch_add(1);
    while (!go.load()) {
    }
    work(thread);
  };
  for (int t = 1; t < threads; ++t) others.emplace_back(run, t);
  while (ready.load() != threads - 1) {
  }
  const double start = now_ms();
  go.store(true);
  work(0);
  for (std::thread& other : others) other.join();
  return (now_ms() - start) / 1e3;
}

}  // namespace

const char* name(Arithmetic arithmetic) { return loop_of(arithmetic).name; }

bool runs_on(const CpuInfo& cpu, Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::f32_avx2:
      return cpu.avx2;
    case Arithmetic::f32_avx512:
      return cpu.avx512;
    case Arithmetic::bf16_avx512:
      return cpu.avx512_bf16;
    case Arithmetic::int8_avx512:
      return cpu.avx512_vnni;
    case Arithmetic::bf16_amx:
    case Arithmetic::int8_amx:
      return cpu.amx;
  }
  return false;
}

double peak_rate(Arithmetic arithmetic, int threads) {
  const Loop loop = loop_of(arithmetic);
  constexpr int64_t kIterations = 1'000'000;  // some 10 ms
  double best = 0;
  for (int run = 0; run < 12; ++run) {
    const double seconds = together(threads, [&](int) {
      float sink = 1e-9f;
      loop.run(kIterations, &sink);
      static_cast<void>(*const_cast<volatile float*>(&sink));
    });
    best = std::max(best, threads * loop.operations * static_cast<double>(kIterations) / seconds);
  }
  return best;
}

double read_bandwidth(int64_t bytes, int threads) {
  const CpuInfo cpu = query_cpu();
  const auto read = cpu.avx512 ? peak_avx512_read : cpu.avx2 ? peak_avx2_read : read_words<16>;
  std::vector<Buffer> buffers;
  for (int t = 0; t < threads; ++t) {
    buffers.emplace_back(bytes, "bandwidth test");
    std::memset(buffers.back().data(), 1, static_cast<size_t>(bytes));
  }
  const int64_t count = bytes / 8, passes = std::max<int64_t>(1, (int64_t{64} << 20) / bytes);
  const uint64_t right = 0x0101010101010101u * static_cast<uint64_t>(count * passes);
  std::vector<uint64_t> sums(static_cast<size_t>(threads));
  double best = 0;
  for (int run = 0; run < 8; ++run) {
    const double seconds = together(threads, [&](int thread) {
      const auto t = static_cast<size_t>(thread);
      sums[t] = read(buffers[t].as<uint64_t>(), count, passes);
    });
    for (const uint64_t sum : sums)
      if (sum != right)
        throw Error(
            ErrorCode::internal,
            {.field = "bandwidth test", .expected = "sum " + std::to_string(right), .found = std::to_string(sum)});
    best = std::max(best, static_cast<double>(bytes * passes) * threads / seconds);
  }
  return best;
}

double peak_of(const char* isa, std::string_view precision, int threads) {
  const std::string_view table = isa;
  if (table == "avx512amx" && precision == "bf16") return peak_rate(Arithmetic::bf16_amx, threads);
  if (table == "avx512amx" && precision == "int8") return peak_rate(Arithmetic::int8_amx, threads);
  if (table == "avx512bf16" && precision == "bf16") return peak_rate(Arithmetic::bf16_avx512, threads);
  if ((table == "avx512bf16" || table == "avx512vnni") && precision == "int8")
    return peak_rate(Arithmetic::int8_avx512, threads);
  if (table.starts_with("avx512")) return peak_rate(Arithmetic::f32_avx512, threads);
  if (table.starts_with("avx2")) return peak_rate(Arithmetic::f32_avx2, threads);
  return 0;
}

}  // namespace tw::bench
