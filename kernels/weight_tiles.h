// Weights as the tensor cores of sm_90 read them (wgmma): tiles of 128 columns by 128 bytes of k, zeros beyond the end
// of either. A tile is in memory what it has to be in shared memory, so one copy brings it there; those along k lie one
// behind the other. Plain arithmetic, for whoever packs and for kernels.
#pragma once

#include <cstdint>

namespace tw {

constexpr int kTileColumns = 128, kTileDepthBytes = 128, kTileBytes = kTileColumns * kTileDepthBytes;

// Where a byte of a line of kTileDepthBytes lies: PTX ISA, "Asynchronous Warpgroup Level Matrix Shared Memory Layout",
// K-major with the 128-byte swizzle. Chunks of 16 bytes change places within their line, in a pattern of eight lines.
constexpr int swizzled(int line, int byte) {
  return line * kTileDepthBytes + ((byte / 16) ^ (line % 8)) * 16 + byte % 16;
}

// The line that column `column` of a tile is. Of 32 lines a thread gets the results of 8 j + 2 t and 8 j + 2 t + 1 for
// j from 0 to 3, where t is its place among four: these are eight adjacent columns.
constexpr int line_of_column(int column) {
  const int among_32 = column % 32, thread = among_32 / 8, pair = among_32 % 8 / 2;
  return column - among_32 + 8 * pair + 2 * thread + column % 2;
}

}  // namespace tw
