// The one error type of the runtime. Loading, construction and argument checks throw it; it never crosses the C ABI.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace tw {

enum class ErrorCode {
  invalid_argument = 1,  // the caller's value is wrong
  io_error,              // the operating system refused
  truncated,             // a file ends before its content does
  malformed,             // a file's content contradicts its format
  unsupported,           // valid, but not something this runtime reads or runs
  limit_exceeded,        // valid, but larger than a configured limit
  shape_mismatch,        // a tensor has other dimensions than the configuration asks for
  missing_tensor,        // a tensor that the configuration asks for is not in the checkpoint
  non_finite,            // NaN or infinity where a finite number is needed
  out_of_memory,
  busy,       // the object is in use by another thread
  cancelled,  // the caller's deadline passed or it asked to stop
  internal,   // a defect of the runtime itself
};

// The lower-case name, e.g. "malformed".
std::string_view name(ErrorCode code);

// What went wrong, where, what was expected and what was found. Any part may be empty.
struct ErrorDetail {
  std::string file = {};      // path, or what stands for it: "text[3]", "image[0]"
  std::string field = {};     // tensor, JSON key, argument, byte offset
  std::string expected = {};  // e.g. "[768, 768]"
  std::string found = {};     // e.g. "[768, 512]"
  std::string note = {};      // a sentence, where expected/found say too little
};

class Error : public std::exception {
 public:
  Error(ErrorCode code, ErrorDetail detail);

  ErrorCode code() const { return code_; }
  const ErrorDetail& detail() const { return detail_; }
  // "malformed: model.safetensors: tensor "x": expected 12 bytes, found 8: note"
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorCode code_;
  ErrorDetail detail_;
  std::string message_;
};

// Makes text from outside safe to print: control bytes and invalid UTF-8 become \xNN, long text is cut.
std::string printable(std::string_view text, size_t max_bytes = 128);

}  // namespace tw
