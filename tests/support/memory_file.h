// A file in memory that can be rewritten and opened again thousands of times.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tw::test {

class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("test", MFD_CLOEXEC)) { require(descriptor_ >= 0); }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // Opens as a regular file of no particular name.
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

  void write(std::string_view bytes) {
    require(::ftruncate(descriptor_, static_cast<off_t>(bytes.size())) == 0);
    require(::pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  void write_byte(size_t at, char value) { require(::pwrite(descriptor_, &value, 1, static_cast<off_t>(at)) == 1); }

 private:
  static void require(bool done) {
    if (!done) throw std::runtime_error("memory file: a system call failed");
  }
  int descriptor_;
};

}  // namespace tw::test
