// Reading regular files: sizes are known, reads are complete or an error, nothing blocks on a pipe or a device.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace tw {

// An open regular file, read at positions given by the caller. Owns the descriptor; move-only.
// Reads share no state, so any number of threads may read from one File at once.
//
// Files are read, not mapped: a mapped file that another process truncates kills this one with SIGBUS, and no
// error handling can catch that.
class File {
 public:
  // Follows symbolic links (model caches are made of them). Throws io_error when the system refuses, or when the path
  // is not a regular file.
  static File open(const std::filesystem::path& path);

  // Bytes in memory as if they were a file; `name` stands for it in messages. They have to stay as long as the File
  // and what it is moved into.
  static File over(std::span<const std::byte> bytes, std::string name);

  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  int64_t size() const { return size_; }             // in bytes, when opened
  const std::string& path() const { return path_; }  // as given, made printable; for error messages

  // Fills `out` from byte `offset` on. Throws truncated when the file ends first, io_error when the system refuses.
  void read_at(int64_t offset, std::span<std::byte> out) const;

  // Throws io_error when size or modification time are no longer those at opening: what was read since may be a
  // mixture of two files.
  void check_unchanged() const;

 private:
  File(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}

  int descriptor_ = -1;
  const std::byte* memory_ = nullptr;  // instead of a descriptor
  int64_t size_ = 0;
  timespec modified_ = {};
  std::string path_;
};

// The whole content of a regular file of at most `limit` bytes. Throws limit_exceeded for a larger one, else as File
// does.
std::string read_whole(const std::filesystem::path& path, int64_t limit);

}  // namespace tw
