#include "api/boundary.h"

#include <new>

namespace tw {
namespace {

// The error of the calling thread: its strings, and the view of them that the caller gets.
struct LastError {
  std::string message;
  ErrorDetail detail;
  tuwen_error view = {TUWEN_OK, "", "", "", "", "", ""};
};

LastError& last_error() {
  thread_local LastError error;
  return error;
}

tuwen_status to_status(ErrorCode code) { return static_cast<tuwen_status>(code); }

static_assert(static_cast<int>(ErrorCode::invalid_argument) == TUWEN_INVALID_ARGUMENT);
static_assert(static_cast<int>(ErrorCode::io_error) == TUWEN_IO_ERROR);
static_assert(static_cast<int>(ErrorCode::truncated) == TUWEN_TRUNCATED);
static_assert(static_cast<int>(ErrorCode::malformed) == TUWEN_MALFORMED);
static_assert(static_cast<int>(ErrorCode::unsupported) == TUWEN_UNSUPPORTED);
static_assert(static_cast<int>(ErrorCode::limit_exceeded) == TUWEN_LIMIT_EXCEEDED);
static_assert(static_cast<int>(ErrorCode::shape_mismatch) == TUWEN_SHAPE_MISMATCH);
static_assert(static_cast<int>(ErrorCode::missing_tensor) == TUWEN_MISSING_TENSOR);
static_assert(static_cast<int>(ErrorCode::non_finite) == TUWEN_NON_FINITE);
static_assert(static_cast<int>(ErrorCode::out_of_memory) == TUWEN_OUT_OF_MEMORY);
static_assert(static_cast<int>(ErrorCode::busy) == TUWEN_BUSY);
static_assert(static_cast<int>(ErrorCode::cancelled) == TUWEN_CANCELLED);
static_assert(static_cast<int>(ErrorCode::internal) == TUWEN_INTERNAL);

// Without any allocation, so that it works when memory is what ran out.
tuwen_status remember_plain(tuwen_status status, const char* message) noexcept {
  last_error().view = {status, message, "", "", "", "", ""};
  return status;
}

tuwen_status remember(const Error& error) noexcept {
  try {
    std::string message = error.what();
    ErrorDetail detail = error.detail();
    LastError& last = last_error();
    last.message = std::move(message);
    last.detail = std::move(detail);
    last.view = {to_status(error.code()),   last.message.c_str(),         last.detail.file.c_str(),
                 last.detail.field.c_str(), last.detail.expected.c_str(), last.detail.found.c_str(),
                 last.detail.note.c_str()};
    return last.view.status;
  } catch (...) {
    return remember_plain(to_status(error.code()), "out of memory while keeping an error's text");
  }
}

}  // namespace

tuwen_status remember_current_exception() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return remember(error);
  } catch (const std::bad_alloc&) {
    return remember_plain(TUWEN_OUT_OF_MEMORY, "out of memory: an allocation failed");
  } catch (const std::exception& error) {
    try {
      return remember(Error(ErrorCode::internal, {.note = error.what()}));
    } catch (...) {
      return remember_plain(TUWEN_INTERNAL, "internal error: unexpected exception");
    }
  } catch (...) {
    return remember_plain(TUWEN_INTERNAL, "internal error: unknown exception");
  }
}

}  // namespace tw

const tuwen_error* tuwen_last_error(void) { return &tw::last_error().view; }

const char* tuwen_status_name(tuwen_status status) {
  if (status == TUWEN_OK) return "ok";
  if (status < TUWEN_INVALID_ARGUMENT || status > TUWEN_INTERNAL) return "?";
  return tw::name(static_cast<tw::ErrorCode>(status)).data();  // names are literals, so zero-terminated
}
