// A file that appears under its name whole or not at all.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace tuwen_cli {

// Writes to a temporary file beside `path`; commit() puts it in place, replacing what was there. Without commit() the
// temporary file is removed and what was at `path` stays. Every failure throws Failure naming the path.
class OutputFile {
 public:
  explicit OutputFile(std::filesystem::path path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* what) const;
  void flush();

  std::filesystem::path path_;
  std::string temporary_;
  std::string buffer_;
  int descriptor_ = -1;
};

}  // namespace tuwen_cli
