#include "kernels/cuda/host_shim/warp.h"

#include <bit>

#include "core/dtype.h"
#include "kernels/cuda/host_shim/cuda_names.h"

namespace tw::shim {
namespace {

constexpr uint32_t kAllLanes = ~0u;

template <class T>
struct Shuffled {
  T value;
  int source;  // a lane, -1 if there is none in the warp
  T result;
};

template <class T>
T exchange(Site site, uint32_t mask, T value, int source) {
  Shuffled<T> mine{value, source, value};
  warp_collective(site, mask, &mine, [](Lanes& lanes) {
    for (void* operand : lanes.operand) {
      auto* s = static_cast<Shuffled<T>*>(operand);
      if (s == nullptr || s->source < 0) continue;
      const auto* from = static_cast<const Shuffled<T>*>(lanes.operand[s->source]);
      if (from == nullptr) fail("a shuffle from a lane outside of the mask");
      s->result = from->value;
    }
  });
  return mine.result;
}

// Number `e` of a register.
double widen(DType type, uint32_t bits, int e) {
  if (type == DType::e4m3) return static_cast<double>(tw::e4m3_to_f32(static_cast<uint8_t>(bits >> (8 * e))));
  const auto half = static_cast<uint16_t>(bits >> (16 * e));
  return static_cast<double>(type == DType::bf16 ? tw::bf16_to_f32(half) : tw::f16_to_f32(half));
}

struct Mma {
  float* d;
  const uint32_t *a, *b;
  DType type;
};

void multiply(Lanes& lanes) {
  const int each = 4 / static_cast<int>(size_of(static_cast<const Mma*>(lanes.operand[0])->type)), depth = 8 * each;
  double a[16][32], b[32][8];
  for (int lane = 0; lane < kWarp; ++lane) {
    const auto& m = *static_cast<const Mma*>(lanes.operand[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; ++i)
      for (int e = 0; e < each; ++e) a[g + i % 2 * 8][each * t + e + i / 2 * 4 * each] = widen(m.type, m.a[i], e);
    for (int i = 0; i < 2; ++i)
      for (int e = 0; e < each; ++e) b[each * t + e + i * 4 * each][g] = widen(m.type, m.b[i], e);
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    const auto& m = *static_cast<const Mma*>(lanes.operand[lane]);
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      double sum = static_cast<double>(m.d[i]);
      for (int k = 0; k < depth; ++k) sum += a[row][k] * b[k][column];
      m.d[i] = static_cast<float>(sum);
    }
  }
}

struct MatrixRow {
  const unsigned char* row;
  uint32_t* r;
  bool transposed;
};

thread_local uint64_t conflicts = 0;

void load_matrices(Lanes& lanes) {
  for (int i = 0; i < 4; ++i) {
    unsigned parts = 0;  // of the 128 bytes of all banks
    for (int row = 0; row < 8; ++row)
      parts |= 1u << std::bit_cast<uintptr_t>(static_cast<const MatrixRow*>(lanes.operand[8 * i + row])->row) / 16 % 8;
    if (parts != 0xFFu) ++conflicts;
  }
  for (void* operand : lanes.operand)
    if (std::bit_cast<uintptr_t>(static_cast<const MatrixRow*>(operand)->row) % 16 != 0)
      fail("ldmatrix from a misaligned row");
  for (int lane = 0; lane < kWarp; ++lane) {
    const auto& m = *static_cast<const MatrixRow*>(lanes.operand[lane]);
    for (int i = 0; i < 4; ++i) {
      uint32_t pair = 0;
      for (int e = 0; e < 2; ++e) {
        const int along = lane / 4, across = lane % 4 * 2 + e;
        const int row = m.transposed ? across : along, column = m.transposed ? along : across;
        const unsigned char* at = static_cast<const MatrixRow*>(lanes.operand[8 * i + row])->row + 2 * column;
        pair |= static_cast<uint32_t>(at[0] | at[1] << 8) << (16 * e);
      }
      m.r[i] = pair;
    }
  }
}

}  // namespace

uint64_t bank_conflicts() { return conflicts; }

void sync_warp(Site site, uint32_t mask) {
  warp_collective(site, mask, nullptr, [](Lanes&) {});
}

float shuffle_xor(Site site, uint32_t mask, float value, int bits) {
  return exchange(site, mask, value, lane() ^ bits);
}

float shuffle_down(Site site, uint32_t mask, float value, unsigned by) {
  const int source = lane() + static_cast<int>(by);
  return exchange(site, mask, value, source < kWarp ? source : -1);
}

float shuffle(Site site, uint32_t mask, float value, int source) {
  return exchange(site, mask, value, source & (kWarp - 1));
}

int shuffle(Site site, uint32_t mask, int value, int source) {
  return exchange(site, mask, value, source & (kWarp - 1));
}

void mma_m16n8(Site site, DType type, float* d, const uint32_t* a, const uint32_t* b) {
  Mma mine{d, a, b, type};
  warp_collective(site, kAllLanes, &mine, multiply);
}

void ldmatrix_x4(Site site, uint32_t* r, const void* row, bool transposed) {
  MatrixRow mine{static_cast<const unsigned char*>(row), r, transposed};
  warp_collective(site, kAllLanes, &mine, load_matrices);
}

}  // namespace tw::shim
