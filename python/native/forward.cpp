// The towers with every input and output.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "python/native/common.h"
#include "python/native/session.h"

namespace tuwen::python {
namespace {

using Floats = std::optional<F32Array>;
using Integers = std::optional<I64Array>;

class Outputs {
 public:
  explicit Outputs(tuwen_outputs* outputs) : handle_(outputs) {}
  const tuwen_outputs* get() const { return handle_.get(); }

 private:
  std::unique_ptr<tuwen_outputs, Deleter<tuwen_outputs_free>> handle_;
};

tuwen_array array_of(const F32Array& given, const char* name) {
  tuwen_array array = {};
  if (given.ndim() == 0 || given.ndim() > std::size(array.shape)) {
    raise(PyExc_ValueError,
          std::string("Wrong shape for ") + name + " (" + std::to_string(given.ndim()) + " dimensions)");
  }
  array.data = given.data();
  array.rank = static_cast<int32_t>(given.ndim());
  for (size_t i = 0; i < given.ndim(); ++i) array.shape[i] = static_cast<int64_t>(given.shape(i));
  return array;
}
tuwen_array array_of(const Floats& given, const char* name) { return given ? array_of(*given, name) : tuwen_array{}; }

tuwen_indices indices_of(const Integers& given, const char* name) {
  tuwen_indices indices = {};
  if (!given) return indices;
  if (given->ndim() == 0 || given->ndim() > std::size(indices.shape)) {
    raise(PyExc_ValueError,
          std::string(name) + ": expected [batch, tokens], found " + std::to_string(given->ndim()) + " dimensions");
  }
  indices.data = given->data();
  indices.rank = static_cast<int32_t>(given->ndim());
  for (size_t i = 0; i < given->ndim(); ++i) indices.shape[i] = static_cast<int64_t>(given->shape(i));
  return indices;
}

// The outputs by name; their memory stays as long as one of the arrays.
nb::dict arrays_of(tuwen_outputs* outputs) {
  const nb::object owner = nb::cast(Outputs(outputs));
  nb::dict arrays;
  for (size_t i = 0; i < tuwen_outputs_count(outputs); ++i) {
    tuwen_array array = {};
    check(tuwen_outputs_at(outputs, i, &array));
    size_t shape[std::size(decltype(array.shape){})];
    std::copy_n(array.shape, array.rank, shape);
    // Nothing else reads the memory, so that the caller may have it as its own.
    arrays[array.name] =
        nb::ndarray<nb::numpy, float>(const_cast<float*>(array.data), static_cast<size_t>(array.rank), shape, owner);
  }
  return arrays;
}

nb::dict text_forward(SharedSession& self, uint32_t outputs, const Integers& input_ids, const Floats& inputs_embeds,
                      const Integers& token_type_ids, const Integers& position_ids, const Floats& attention_mask,
                      const Floats& head_mask, const Floats& encoder_hidden_states,
                      const Floats& encoder_attention_mask, const std::optional<std::vector<F32Array>>& past) {
  auto in = make<tuwen_text_inputs>();
  in.outputs = outputs;
  in.input_ids = indices_of(input_ids, "input_ids");
  in.inputs_embeds = array_of(inputs_embeds, "inputs_embeds");
  in.token_type_ids = indices_of(token_type_ids, "token_type_ids");
  in.position_ids = indices_of(position_ids, "position_ids");
  in.attention_mask = array_of(attention_mask, "attention_mask");
  in.head_mask = array_of(head_mask, "head_mask");
  in.encoder_hidden_states = array_of(encoder_hidden_states, "encoder_hidden_states");
  in.encoder_attention_mask = array_of(encoder_attention_mask, "encoder_attention_mask");
  std::vector<tuwen_array> past_arrays;
  if (past) {
    for (const F32Array& array : *past) past_arrays.push_back(array_of(array, "past_key_values"));
  }
  in.past_key_values = past_arrays.data();
  in.past_key_value_count = past_arrays.size();
  const int64_t* const shape = input_ids ? in.input_ids.shape : in.inputs_embeds.shape;
  const double tokens = static_cast<double>(shape[0]) * static_cast<double>(std::max<int64_t>(shape[1], 1));
  tuwen_outputs* made = nullptr;
  self.run(self.text_cost() * tokens, [&](tuwen_session* session) { check(tuwen_text_forward(session, &in, &made)); });
  return arrays_of(made);
}

nb::dict vision_forward(SharedSession& self, uint32_t outputs, const F32Array& pixel_values, bool interpolate) {
  auto in = make<tuwen_vision_inputs>();
  in.outputs = outputs;
  in.pixel_values = array_of(pixel_values, "pixel_values");
  in.interpolate_pos_encoding = interpolate;
  const auto patch = static_cast<double>(std::max<int64_t>(self.info().patch_size, 1));
  const double tokens = static_cast<double>(pixel_values.size()) / (3 * patch * patch);
  tuwen_outputs* made = nullptr;
  self.run(self.image_cost() * tokens,
           [&](tuwen_session* session) { check(tuwen_vision_forward(session, &in, &made)); });
  return arrays_of(made);
}

}  // namespace

void bind_forward(nb::module_& module) {
  nb::class_<Outputs>(module, "Outputs", "The memory of a forward pass's arrays.");
  module.attr("OUTPUT_LAST_HIDDEN_STATE") = static_cast<int>(TUWEN_OUTPUT_LAST_HIDDEN_STATE);
  module.attr("OUTPUT_POOLER") = static_cast<int>(TUWEN_OUTPUT_POOLER);
  module.attr("OUTPUT_HIDDEN_STATES") = static_cast<int>(TUWEN_OUTPUT_HIDDEN_STATES);
  module.attr("OUTPUT_ATTENTIONS") = static_cast<int>(TUWEN_OUTPUT_ATTENTIONS);
  module.attr("OUTPUT_CACHE") = static_cast<int>(TUWEN_OUTPUT_CACHE);
  module.attr("OUTPUT_FEATURES") = static_cast<int>(TUWEN_OUTPUT_FEATURES);
  module.attr("OUTPUT_EMBEDS") = static_cast<int>(TUWEN_OUTPUT_EMBEDS);
  module.def("text_forward", &text_forward, nb::arg("session"), nb::arg("outputs"), nb::kw_only(),
             nb::arg("input_ids").none() = nb::none(), nb::arg("inputs_embeds").none() = nb::none(),
             nb::arg("token_type_ids").none() = nb::none(), nb::arg("position_ids").none() = nb::none(),
             nb::arg("attention_mask").none() = nb::none(), nb::arg("head_mask").none() = nb::none(),
             nb::arg("encoder_hidden_states").none() = nb::none(),
             nb::arg("encoder_attention_mask").none() = nb::none(), nb::arg("past_key_values").none() = nb::none());
  module.def("vision_forward", &vision_forward, nb::arg("session"), nb::arg("outputs"), nb::arg("pixel_values"),
             nb::arg("interpolate_pos_encoding") = false);
}

}  // namespace tuwen::python
