#include <immintrin.h>

#include "bench/peak.h"

namespace tw::bench {
namespace {

// All eight tiles, full. Shapes as in kernels/cpu/amx_avx512.cpp.
void load_tiles(const void* values) {
  struct alignas(64) {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } shapes;
  _tile_loadconfig(&shapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, values, 64);
  _tile_loadd(5, values, 64);
  _tile_loadd(6, values, 64);
  _tile_loadd(7, values, 64);
}

float store_tiles() {
  alignas(64) float sums[256];
  _tile_stored(0, sums, 64);
  _tile_release();
  return sums[0];
}

}  // namespace

void peak_amx_bf16(int64_t iterations, float* sink) {
  alignas(64) uint16_t values[512] = {};
  load_tiles(values);
  for (int64_t i = 0; i < iterations; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  *sink += store_tiles();
}

void peak_amx_int8(int64_t iterations, float* sink) {
  alignas(64) uint8_t values[1024] = {};
  load_tiles(values);
  for (int64_t i = 0; i < iterations; ++i) {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  *sink += store_tiles();
}

}  // namespace tw::bench
