// Tensor-core instructions of a warp, with the fragment layouts of the PTX ISA (sections "Matrix Fragments for
// mma.m16n8k16 with floating point type", the same for mma.m16n8k32, and "ldmatrix"). Every one waits for all 32 lanes.
#pragma once

#include "core/dtype.h"
#include "kernels/cuda/host_shim/block.h"

namespace tw::shim {

// d[16, 8] += a[16, 8 p] b[8 p, 8], where a register has p numbers: two of bf16 or f16, four of e4m3. Lane 4 g + t has,
// the lower column or row in the lower bits:
//   a[0]: row g, columns p t to p t + p - 1; a[1]: row g + 8; a[2]: row g, columns 4 p on; a[3]: row g + 8, these
//   b[0]: rows p t to p t + p - 1 of column g; b[1]: rows 4 p on
//   d[0], d[1]: row g, columns 2t and 2t + 1; d[2], d[3]: row g + 8
// Products are exact and added in double before the one rounding to f32, which is within what hardware may do.
void mma_m16n8(Site site, DType type, float* d, const uint32_t* a, const uint32_t* b);

// Four 8 x 8 matrices of two-byte elements out of shared memory. Lanes 8 i to 8 i + 7 name the rows of matrix i, each
// 16 bytes and aligned so; lane 4 g + t gets columns 2t and 2t + 1 of row g of each in r[i], or of the transposed.
void ldmatrix_x4(Site site, uint32_t* r, const void* row, bool transposed);

// Matrices that this CPU thread's kernels have loaded whose eight rows do not come from all banks at once: on a device
// they are right, but slow.
uint64_t bank_conflicts();

}  // namespace tw::shim
