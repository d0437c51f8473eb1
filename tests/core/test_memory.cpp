#include "core/arena.h"
#include "core/cpu_info.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

using namespace tw;

TEST_CASE("a buffer is aligned, zeroed and moved, never copied") {
  Buffer a(1000, "test");
  REQUIRE(reinterpret_cast<uintptr_t>(a.data()) % kAlignment == 0);
  for (int i = 0; i < 1000; ++i) REQUIRE(a.as<char>()[i] == 0);
  Buffer b = std::move(a);
  CHECK(a.data() == nullptr);
  CHECK(b.size() == 1000);
  CHECK_THROWS_AS(Buffer(int64_t{1} << 60, "test"), Error);
  CHECK_THROWS_AS(Buffer(-1, "test"), Error);
}

TEST_CASE("an arena's plan equals its use") {
  Arena plan;
  plan.take(3, 5);
  plan.take_bytes(1);
  CHECK(plan.used() == 128);
  Buffer memory(plan.used(), "test");
  Arena arena(memory);
  const Tensor t = arena.take(3, 5);
  CHECK(t.f32_row(2) - t.f32() == 10);
  arena.take_bytes(1);
  CHECK_THROWS_AS(arena.take_bytes(1), Error);
}

TEST_CASE("tensor views select rows and columns") {
  float data[12];
  for (int i = 0; i < 12; ++i) data[i] = static_cast<float>(i);
  const Tensor t = matrix(data, 4, 3);
  CHECK(t.row_range(1, 2).f32_row(1)[0] == 6);
  CHECK(t.column_range(1, 2).f32_row(3)[1] == 11);
  CHECK(t.every(2).rows == 2);
  CHECK(t.every(2).f32_row(1)[2] == 8);
}

TEST_CASE("CPU features agree with what the kernel reports") {
  std::ifstream file("/proc/cpuinfo");
  std::string line, flags;
  while (std::getline(file, line))
    if (line.rfind("flags", 0) == 0) flags = line + " ";
  REQUIRE(!flags.empty());
  const auto has = [&](const char* flag) { return flags.find(std::string(" ") + flag + " ") != std::string::npos; };
  const CpuInfo cpu = query_cpu();
  CHECK(cpu.avx2 == (has("avx2") && has("fma") && has("f16c") && has("bmi1") && has("bmi2") && has("abm")));
  CHECK(cpu.avx512 ==
        (cpu.avx2 && has("avx512f") && has("avx512bw") && has("avx512dq") && has("avx512vl") && has("avx512cd")));
  CHECK(cpu.avx512_vnni == (cpu.avx512 && has("avx512_vnni")));
  CHECK(cpu.avx512_bf16 == (cpu.avx512 && has("avx512_bf16")));
  CHECK(cpu.cores >= 1);
}
