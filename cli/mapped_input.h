// A file of ours, mapped into memory to be read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tuwen_cli {

// Stays as it is when another file takes its place. Throws Failure naming the path where it cannot be read or is no
// file. Immutable.
class MappedInput {
 public:
  explicit MappedInput(const std::string& path);
  ~MappedInput();
  MappedInput(const MappedInput&) = delete;
  MappedInput& operator=(const MappedInput&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(mapping_), size_}; }

 private:
  void* mapping_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tuwen_cli
