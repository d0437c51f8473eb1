// Reads NumPy's array files (numpy.lib.format, versions 1 to 3), front to back.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace tuwen_cli {

class NpyInput {
 public:
  // Throws Failure unless the file holds an array of this type ("<f4", "<i8") and number of dimensions in C order, all
  // of it.
  NpyInput(const std::string& path, const std::string& type, size_t dimensions);

  const std::vector<int64_t>& shape() const { return shape_; }
  // The next bytes of the array.
  void read(void* out, size_t bytes);

 private:
  std::string path_;
  std::ifstream in_;
  std::vector<int64_t> shape_;
};

}  // namespace tuwen_cli
