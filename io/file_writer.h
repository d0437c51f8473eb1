// Writing a file so that there is never half of it under its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace tw {

// Writes to a temporary file in the same directory and renames it at commit(). Destroyed without commit(), it leaves
// nothing behind and whatever had the name before stays as it was. Move-only; for one thread at a time.
// Every function throws io_error when the system refuses (disk full, no permission), after which commit() may not be
// called.
class FileWriter {
 public:
  // An existing regular file will be replaced; anything else of that name (a device, a directory) is an error.
  explicit FileWriter(const std::filesystem::path& path);
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&& other) noexcept;
  ~FileWriter();

  // Appends, through a buffer of 256 KiB.
  void write(std::span<const std::byte> bytes);
  // Overwrites bytes that are written already.
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  // Flushes to the disk and gives the file its name.
  void commit();

  const std::string& path() const { return shown_; }  // printable, for messages

 private:
  void flush();
  void abandon();
  [[noreturn]] void fail(const std::string& action, int error) const;

  int descriptor_ = -1;
  int64_t written_ = 0;  // bytes that have left the buffer
  std::string buffer_;
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::string shown_;
};

}  // namespace tw
