// Weights as named tensors, and the models made of them.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <utility>

#include "python/native/common.h"
#include "python/native/session.h"

namespace tuwen::python {
namespace {

class Checkpoint {
 public:
  explicit Checkpoint(tuwen_checkpoint* checkpoint) : handle_(checkpoint) {}
  const tuwen_checkpoint* get() const { return handle_.get(); }

 private:
  std::unique_ptr<tuwen_checkpoint, Deleter<tuwen_checkpoint_free>> handle_;
};

// Runs one of the C functions that make a checkpoint, without the GIL.
template <class Make>
Checkpoint made(Make&& make_it) {
  nb::gil_scoped_release unlocked;
  tuwen_checkpoint* checkpoint = nullptr;
  check(make_it(&checkpoint));
  return Checkpoint(checkpoint);
}

Checkpoint open(const std::string& directory) {
  return made([&](tuwen_checkpoint** out) { return tuwen_checkpoint_open(directory.c_str(), out); });
}

Checkpoint create(const std::string& config, const nb::dict& tensors) {
  std::vector<std::string> names;
  std::vector<F32Array> arrays;
  std::vector<std::vector<int64_t>> shapes;
  for (const auto& [name, array] : tensors) {
    names.push_back(nb::cast<std::string>(name));
    arrays.push_back(nb::cast<F32Array>(array));
    const F32Array& a = arrays.back();
    shapes.emplace_back(a.shape_ptr(), a.shape_ptr() + a.ndim());
  }
  std::vector<tuwen_tensor> views;
  for (size_t i = 0; i < names.size(); ++i) {
    views.push_back({.name = names[i].c_str(),
                     .dtype = TUWEN_DTYPE_F32,
                     .rank = static_cast<int32_t>(shapes[i].size()),
                     .shape = shapes[i].data(),
                     .data = arrays[i].data(),
                     .size = arrays[i].size() * sizeof(float)});
  }
  return made([&](tuwen_checkpoint** out) {
    return tuwen_checkpoint_create(config.data(), config.size(), views.data(), views.size(), nullptr, out);
  });
}

Checkpoint random(const std::string& config, uint64_t seed, bool with_pooler) {
  auto options = make<tuwen_random_options>();
  options.seed = seed;
  options.without_pooler = !with_pooler;
  return made(
      [&](tuwen_checkpoint** out) { return tuwen_checkpoint_random(config.data(), config.size(), &options, out); });
}

std::string config_of(const Checkpoint& self) {
  tuwen_text text = {};
  check(tuwen_checkpoint_get_config(self.get(), &text));
  return {text.data, text.size};
}

tuwen_tensor tensor_at(const Checkpoint& self, size_t index) {
  tuwen_tensor tensor = {};
  check(tuwen_checkpoint_at(self.get(), index, &tensor));
  return tensor;
}

std::vector<std::string> names_of(const Checkpoint& self) {
  std::vector<std::string> names;
  const size_t count = tuwen_checkpoint_count(self.get());
  for (size_t i = 0; i < count; ++i) names.emplace_back(tensor_at(self, i).name);
  return names;
}

size_t index_of(const Checkpoint& self, const std::string& name) {
  size_t index = 0;
  if (tuwen_checkpoint_find(self.get(), name.c_str(), &index) != TUWEN_OK) raise(PyExc_KeyError, name);
  return index;
}

std::vector<size_t> shape_of(const Checkpoint& self, const std::string& name) {
  const tuwen_tensor tensor = tensor_at(self, index_of(self, name));
  return {tensor.shape, tensor.shape + tensor.rank};
}

nb::ndarray<nb::numpy, float> read(const Checkpoint& self, const std::string& name) {
  const size_t index = index_of(self, name);
  const NewArray out = new_array(shape_of(self, name));
  nb::gil_scoped_release unlocked;
  check(tuwen_checkpoint_read_f32(self.get(), index, out.data, out.array.size()));
  return out.array;
}

Checkpoint with_config(const Checkpoint& self, const std::string& config) {
  return made([&](tuwen_checkpoint** out) {
    return tuwen_checkpoint_with_config(self.get(), config.data(), config.size(), out);
  });
}

Checkpoint tower(const Checkpoint& self, const std::string& which) {
  const tuwen_towers towers = which == "text" ? TUWEN_TEXT_TOWER : TUWEN_IMAGE_TOWER;
  return made([&](tuwen_checkpoint** out) { return tuwen_checkpoint_tower(self.get(), towers, out); });
}

Checkpoint prune_heads(const Checkpoint& self, const std::vector<int64_t>& layers, const std::vector<int64_t>& heads) {
  if (layers.size() != heads.size()) raise(PyExc_ValueError, "prune_heads: layers and heads differ in number");
  return made([&](tuwen_checkpoint** out) {
    return tuwen_checkpoint_prune_heads(self.get(), layers.data(), heads.data(), layers.size(), out);
  });
}

std::unique_ptr<SharedSession> load(const Checkpoint& self, const std::string& dtype, int threads,
                                    const std::string& device, const std::string& plan) {
  const tuwen_load_options options = load_options_of(dtype, plan, threads);
  auto session_options = make<tuwen_session_options>();
  session_options.threads = threads;
  session_options.device = device.c_str();
  nb::gil_scoped_release unlocked;
  tuwen_model* model = nullptr;
  check(tuwen_model_load_checkpoint(self.get(), &options, &model));
  return std::make_unique<SharedSession>(Model(model), session_options);
}

}  // namespace

void bind_checkpoint(nb::module_& module) {
  nb::class_<Checkpoint>(module, "Checkpoint", "config.json and named tensors. Immutable.")
      .def_static("open", &open, nb::arg("directory"))
      .def_static("create", &create, nb::arg("config"), nb::arg("tensors"), "Of float32 arrays, which are copied.")
      .def_static("random", &random, nb::arg("config"), nb::arg("seed"), nb::arg("with_pooler") = true)
      .def_prop_ro("config", &config_of, "The text of config.json.")
      .def("names", &names_of)
      .def("shape", &shape_of, nb::arg("name"))
      .def("read", &read, nb::arg("name"), "A tensor as float32.")
      .def("with_config", &with_config, nb::arg("config"))
      .def("tower", &tower, nb::arg("which"), "\"text\" or \"vision\" out of a full checkpoint.")
      .def("prune_heads", &prune_heads, nb::arg("layers"), nb::arg("heads"))
      .def(
          "save",
          [](const Checkpoint& self, const std::string& directory) {
            check(tuwen_checkpoint_save(self.get(), directory.c_str()));
          },
          nb::arg("directory"), nb::call_guard<nb::gil_scoped_release>(), "Writes config.json and model.safetensors.")
      .def("load", &load, nb::arg("dtype") = "float32", nb::arg("threads") = 0, nb::arg("device") = "cpu",
           nb::arg("plan") = "exact");
}

}  // namespace tuwen::python
