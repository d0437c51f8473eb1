// Reading one tensor out of a file as f32, through a bounded buffer.
#pragma once

#include <cstdint>
#include <span>

#include "io/file.h"
#include "io/stored_tensor.h"

namespace tw {

// What Checkpoint::read_f32_rows does, for a tensor whose location is known. `tensor` must lie inside `file`.
// f32 without gaps goes from the file straight into `out`; everything else through a buffer of kReadBufferBytes.
void read_rows_as_f32(const File& file, const StoredTensor& tensor, int64_t first_row, std::span<float> out,
                      bool check_finite);

// The whole tensor in its own type, row-major without gaps. out.size() is its size in bytes.
void read_as_stored(const File& file, const StoredTensor& tensor, std::span<std::byte> out);

// Checks, without reading, that every element lies in [begin, end) of a file: no negative stride or dimension, nothing
// overflows. Returns false if not.
bool fits(const StoredTensor& tensor, int64_t begin, int64_t end);

inline constexpr int64_t kReadBufferBytes = 256 << 10;

}  // namespace tw
