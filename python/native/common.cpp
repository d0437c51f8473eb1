#include "python/native/common.h"

#include <algorithm>
#include <exception>
#include <memory>

namespace tuwen::python {
namespace {

PyObject* exception_for(tuwen_status status) {
  switch (status) {
    case TUWEN_IO_ERROR:
      return PyExc_OSError;
    case TUWEN_OUT_OF_MEMORY:
      return PyExc_MemoryError;
    case TUWEN_CANCELLED:
      return PyExc_TimeoutError;
    case TUWEN_BUSY:
    case TUWEN_INTERNAL:
      return PyExc_RuntimeError;
    default:
      return PyExc_ValueError;
  }
}

}  // namespace

void register_errors(nb::module_&) {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& error) {
      PyErr_SetString(exception_for(error.status()), error.what());
    }
  });
}

void raise(PyObject* type, const std::string& message) {
  PyErr_SetString(type, message.c_str());
  throw nb::python_error();
}

NewArray new_array(std::span<const size_t> shape) {
  size_t size = 1;
  for (const size_t n : shape) size *= n;
  auto data = std::make_unique_for_overwrite<float[]>(std::max<size_t>(size, 1));
  float* const raw = data.get();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<float*>(p); });
  data.release();
  return {nb::ndarray<nb::numpy, float>(raw, shape.size(), shape.data(), owner), raw};
}

TextList::TextList(const nb::sequence& texts) {
  const size_t count = nb::len(texts);
  views_.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    nb::object text = texts[i];
    if (!PyUnicode_Check(text.ptr())) raise(PyExc_TypeError, "texts[" + std::to_string(i) + "] is not a str");
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (data == nullptr) {
      PyErr_Clear();
      // Each lone surrogate takes one U+FFFD, so that positions stay those of the string.
      text = nb::module_::import_("re").attr("sub")("[\\ud800-\\udfff]", "\xEF\xBF\xBD", text);
      data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
      if (data == nullptr) throw nb::python_error();
    }
    views_.push_back({data, static_cast<size_t>(size)});
    kept_.push_back(std::move(text));
  }
}

}  // namespace tuwen::python
