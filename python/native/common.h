// What the files of the module share: NumPy arrays with an owner, and the library's errors as Python's exceptions.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tuwen/tuwen.hpp"

namespace tuwen::python {

namespace nb = nanobind;

using F32Array = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using I64Array = nb::ndarray<const int64_t, nb::c_contig, nb::device::cpu>;

// Makes every tuwen::Error that leaves a bound function the fitting built-in exception. Call once, when the module is
// made.
void register_errors(nb::module_& module);

// Raises a built-in exception with a message. Needs the GIL.
[[noreturn]] void raise(PyObject* type, const std::string& message);

// An array over `data` that keeps `owner` alive.
template <class T>
nb::ndarray<nb::numpy, T> view(T* data, std::initializer_list<size_t> shape, nb::handle owner) {
  return nb::ndarray<nb::numpy, T>(data, shape.size(), shape.begin(), owner);
}

// A new array of floats, to be filled by `data` before anyone sees it.
struct NewArray {
  nb::ndarray<nb::numpy, float> array;
  float* data;
};
NewArray new_array(std::span<const size_t> shape);
inline NewArray new_array(std::initializer_list<size_t> shape) {
  return new_array(std::span(shape.begin(), shape.size()));
}

// UTF-8 of Python strings; they have to outlive the views. What no encoding has, lone surrogates, is read as U+FFFD.
class TextList {
 public:
  explicit TextList(const nb::sequence& texts);
  const std::vector<tuwen_text>& views() const { return views_; }
  size_t size() const { return views_.size(); }

 private:
  std::vector<tuwen_text> views_;
  std::vector<nb::object> kept_;
};

// One class or a few of the module each.
void bind_images(nb::module_& module);
void bind_processor(nb::module_& module);
void bind_session(nb::module_& module);
void bind_checkpoint(nb::module_& module);
void bind_forward(nb::module_& module);

}  // namespace tuwen::python
