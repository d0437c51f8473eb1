#include "core/cpu_info.h"

#include <cpuid.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>

namespace tw {
namespace {

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

bool bit(uint32_t word, int index) { return ((word >> index) & 1u) != 0; }

// XCR0: which register files the operating system saves. Intel SDM vol. 1, 13.3.
uint64_t saved_registers(const Registers& leaf1) {
  if (!bit(leaf1.ecx, 27)) return 0;  // OSXSAVE
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// Linux gives the large tile registers to processes that ask: Documentation/arch/x86/xstate.rst.
bool tiles_permitted() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool is_intel() {
  const Registers r = cpuid(0);
  return r.ebx == 0x756E6547u && r.edx == 0x49656E69u && r.ecx == 0x6C65746Eu;  // "GenuineIntel"
}

std::string brand_string() {
  char text[49] = {};
  for (uint32_t i = 0; i < 3; ++i) {
    const Registers r = cpuid(0x80000002u + i);
    std::memcpy(text + 16 * i, &r, 16);
  }
  std::string brand(text);
  brand.erase(0, brand.find_first_not_of(' '));
  return brand;
}

// cgroup v2 "cpu.max": "<quota> <period>" in microseconds, or "max <period>".
int cgroup_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) return 1 << 20;
  return std::max(1, static_cast<int>(quota / period + 0.5));
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int affinity = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(1, std::min(affinity, cgroup_cores()));
}

}  // namespace

CpuInfo query_cpu() {
  CpuInfo info;
  const Registers leaf1 = cpuid(1), leaf7 = cpuid(7), leaf7_1 = cpuid(7, 1), extended = cpuid(0x80000001u);
  const uint64_t saved = saved_registers(leaf1);
  const bool ymm = (saved & 0x06) == 0x06, zmm = (saved & 0xE6) == 0xE6;
  info.avx2 = ymm && bit(leaf1.ecx, 28) && bit(leaf1.ecx, 12) && bit(leaf1.ecx, 29) && bit(leaf7.ebx, 5) &&
              bit(leaf7.ebx, 3) && bit(leaf7.ebx, 8) && bit(extended.ecx, 5);
  info.avx_vnni = info.avx2 && bit(leaf7_1.eax, 4);
  info.avx512 = info.avx2 && zmm && bit(leaf7.ebx, 16) && bit(leaf7.ebx, 17) && bit(leaf7.ebx, 28) &&
                bit(leaf7.ebx, 30) && bit(leaf7.ebx, 31);
  info.avx512_vnni = info.avx512 && bit(leaf7.ecx, 11);
  info.avx512_bf16 = info.avx512 && bit(leaf7_1.eax, 5);
  info.slow_bf16 = info.avx512_bf16 && is_intel();
  info.amx = info.avx512_vnni && info.avx512_bf16 && bit(leaf7.edx, 22) && bit(leaf7.edx, 24) && bit(leaf7.edx, 25) &&
             (saved & 0x60000) == 0x60000 && tiles_permitted();
  info.brand = brand_string();
  info.cores = usable_cores();
  return info;
}

std::string CpuInfo::flags() const {
  std::string out;
  const auto add = [&](bool has, const char* text) {
    if (!has) return;
    if (!out.empty()) out += ' ';
    out += text;
  };
  add(avx2, "avx2");
  add(avx_vnni, "avx_vnni");
  add(avx512, "avx512");
  add(avx512_vnni, "avx512_vnni");
  add(avx512_bf16, "avx512_bf16");
  add(amx, "amx");
  return out;
}

}  // namespace tw
