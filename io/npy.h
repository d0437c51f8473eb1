// NumPy's .npy format, version 1.0, for f32 arrays in C order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "io/file_writer.h"

namespace tw {

// Writes an array row by row when the number of rows is not known beforehand. The file gets its name at finish();
// destroyed before that, the writer leaves nothing behind. For one thread at a time. Throws io_error when the system
// refuses.
class NpyWriter {
 public:
  // Rows of shape `row_shape`, at most 7 dimensions; {} makes a 1-D array.
  NpyWriter(const std::filesystem::path& path, std::vector<int64_t> row_shape);

  // One or more whole rows, else invalid_argument.
  void append(std::span<const float> rows);
  // Completes the header with the number of rows, and the file.
  void finish();

  int64_t rows() const { return rows_; }

 private:
  FileWriter file_;
  std::vector<int64_t> row_shape_;
  int64_t row_elements_;
  int64_t rows_ = 0;
};

struct NpyArray {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

// Reads a file such as NpyWriter or numpy.save writes for float32 arrays in C order; anything else is an error
// (malformed, unsupported, truncated). limit_exceeded for a file of more than `max_bytes`.
NpyArray read_npy(const std::filesystem::path& path, int64_t max_bytes = int64_t{1} << 30);

}  // namespace tw
