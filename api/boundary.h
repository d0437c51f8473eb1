// The exception boundary of the C interface, and how its structs are read and written.
#pragma once

#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "tuwen/tuwen.h"

namespace tw {

// Keeps the current exception for the calling thread's tuwen_last_error() and returns its status. Only inside a catch.
tuwen_status remember_current_exception() noexcept;

// Runs the body of a C function: no exception leaves it.
template <class Body>
tuwen_status guarded(Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
    return TUWEN_OK;
  } catch (...) {
    return remember_current_exception();
  }
}

[[noreturn]] inline void throw_argument(std::string field, std::string expected, std::string found = {}) {
  throw Error(ErrorCode::invalid_argument,
              {.field = std::move(field), .expected = std::move(expected), .found = std::move(found)});
}

template <class T>
T& not_null(T* pointer, const char* name) {
  if (pointer == nullptr) throw_argument(name, "a pointer", "NULL");
  return *pointer;
}

// An empty path would name the current directory, or nothing.
inline const char* checked_path(const char* path, const char* name) {
  if (not_null(path, name) == '\0') throw_argument(name, "a path", "an empty one");
  return path;
}

// A caller's option struct, whichever version of the header it was compiled with: fields it does not know are zero,
// fields that this library does not know have to be zero. NULL gives all zeros.
template <class T>
T read_options(const T* given, const char* name) {
  T options = {};
  if (given != nullptr) {
    const size_t size = given->struct_size;
    if (size < sizeof given->struct_size || size > 4096) {
      throw_argument(std::string(name) + ".struct_size", "sizeof of the struct", std::to_string(size));
    }
    const char* bytes = reinterpret_cast<const char*>(given);
    std::memcpy(&options, bytes, std::min(size, sizeof options));
    for (size_t i = sizeof options; i < size; ++i) {
      if (bytes[i] != 0) throw_argument(name, "only options that this version of the library has", "a newer option");
    }
  }
  options.struct_size = sizeof options;
  return options;
}

// Writes as much of `value` as the caller's struct has room for.
template <class T>
void write_info(T* out, T value, const char* name) {
  const size_t size = not_null(out, name).struct_size;
  if (size < sizeof out->struct_size || size > 4096) {
    throw_argument(std::string(name) + ".struct_size", "sizeof of the struct", std::to_string(size));
  }
  value.struct_size = out->struct_size;
  std::memcpy(out, &value, std::min(size, sizeof value));
}

// Copies text into a fixed field, cut to fit and zero-terminated.
template <size_t N>
void set_field(char (&field)[N], std::string_view text) {
  const size_t size = std::min(text.size(), N - 1);
  std::memcpy(field, text.data(), size);
  field[size] = '\0';
}

inline int32_t checked_choice(int32_t value, int32_t last, const char* name) {
  if (value < 0 || value > last) throw_argument(name, "0 to " + std::to_string(last), std::to_string(value));
  return value;
}

inline void check_reserved(int64_t value, const char* name) {
  if (value != 0) throw_argument(std::string(name) + ".reserved", "0", std::to_string(value));
}

}  // namespace tw
