// Part of tuwen.hpp, which is the file to include: checkpoints and forward passes. checkpoint.h and forward.h are the
// manual; here are owning handles, spans and the joint pass.
//
//   auto inputs = tuwen::make<tuwen_text_inputs>();
//   inputs.input_ids = tuwen::indices(ids, {2, 5});
//   inputs.outputs = TUWEN_OUTPUT_DEFAULT | TUWEN_OUTPUT_ATTENTIONS;
//   const tuwen::Outputs outputs = tuwen::text_forward(session, inputs);
//   const std::span<const float> attention = outputs.values("attentions.0");
#pragma once

#include <array>
#include <map>
#include <optional>

#include "tuwen/tuwen.hpp"

namespace tuwen {

// Weights as named tensors, with their config.json. Immutable.
class Checkpoint {
 public:
  static Checkpoint open(const std::string& directory) {
    return made([&](tuwen_checkpoint** c) { return tuwen_checkpoint_open(directory.c_str(), c); });
  }
  // Of the caller's tensors, which are copied unless options->borrow.
  static Checkpoint of(std::string_view config_json, std::span<const tuwen_tensor> tensors,
                       const tuwen_create_options* options = nullptr) {
    return made([&](tuwen_checkpoint** c) {
      return tuwen_checkpoint_create(config_json.data(), config_json.size(), tensors.data(), tensors.size(), options,
                                     c);
    });
  }
  static Checkpoint random(std::string_view config_json, const tuwen_random_options* options = nullptr) {
    return made([&](tuwen_checkpoint** c) {
      return tuwen_checkpoint_random(config_json.data(), config_json.size(), options, c);
    });
  }

  std::string_view config_json() const {
    tuwen_text text = {};
    check(tuwen_checkpoint_get_config(get(), &text));
    return {text.data, text.size};
  }
  size_t size() const { return tuwen_checkpoint_count(get()); }
  tuwen_tensor at(size_t index) const {
    tuwen_tensor tensor = {};
    check(tuwen_checkpoint_at(get(), index, &tensor));
    return tensor;
  }
  size_t find(const std::string& name) const {
    size_t index = 0;
    check(tuwen_checkpoint_find(get(), name.c_str(), &index));
    return index;
  }
  std::vector<float> values(const std::string& name) const {
    const size_t index = find(name);
    const tuwen_tensor tensor = at(index);
    int64_t count = 1;
    for (int32_t i = 0; i < tensor.rank; ++i) count *= tensor.shape[i];
    std::vector<float> out(static_cast<size_t>(count));
    check(tuwen_checkpoint_read_f32(get(), index, out.data(), out.size()));
    return out;
  }

  Checkpoint with_config(std::string_view config_json) const {
    return made([&](tuwen_checkpoint** c) {
      return tuwen_checkpoint_with_config(get(), config_json.data(), config_json.size(), c);
    });
  }
  Checkpoint tower(tuwen_towers which) const {
    return made([&](tuwen_checkpoint** c) { return tuwen_checkpoint_tower(get(), which, c); });
  }
  // {layer: heads}
  Checkpoint prune_heads(const std::map<int64_t, std::vector<int64_t>>& pruned) const {
    std::vector<int64_t> layers, heads;
    for (const auto& [layer, list] : pruned) {
      for (const int64_t head : list) layers.push_back(layer), heads.push_back(head);
    }
    return made([&](tuwen_checkpoint** c) {
      return tuwen_checkpoint_prune_heads(get(), layers.data(), heads.data(), heads.size(), c);
    });
  }
  void save(const std::string& directory) const { check(tuwen_checkpoint_save(get(), directory.c_str())); }
  Model load(const tuwen_load_options* options = nullptr) const {
    tuwen_model* model = nullptr;
    check(tuwen_model_load_checkpoint(get(), options, &model));
    return Model::adopt(model);
  }

  const tuwen_checkpoint* get() const { return handle_.get(); }

 private:
  explicit Checkpoint(tuwen_checkpoint* checkpoint) : handle_(checkpoint) {}
  template <class Make>
  static Checkpoint made(Make make) {
    tuwen_checkpoint* checkpoint = nullptr;
    check(make(&checkpoint));
    return Checkpoint(checkpoint);
  }
  std::unique_ptr<tuwen_checkpoint, Deleter<tuwen_checkpoint_free>> handle_;
};

// An input array of a forward pass: a view of `data`, which has to hold the shape's product of numbers.
template <class Array, class T>
Array view_of(std::span<const T> data, std::initializer_list<int64_t> shape, size_t most) {
  if (shape.size() > most) throw std::invalid_argument("tuwen: an array of too many dimensions");
  Array array = {};
  array.data = data.data();
  uint64_t count = 1;
  for (const int64_t d : shape) {
    array.shape[array.rank++] = d;
    count *= static_cast<uint64_t>(d);
  }
  if (count != data.size()) throw std::invalid_argument("tuwen: an array's shape is not that of its data");
  return array;
}
inline tuwen_array array(std::span<const float> data, std::initializer_list<int64_t> shape) {
  return view_of<tuwen_array>(data, shape, 4);
}
inline tuwen_indices indices(std::span<const int64_t> data, std::initializer_list<int64_t> shape) {
  return view_of<tuwen_indices>(data, shape, 2);
}

// What a forward pass made. Immutable.
class Outputs {
 public:
  explicit Outputs(tuwen_outputs* outputs) : handle_(outputs) {}

  size_t size() const { return tuwen_outputs_count(get()); }
  tuwen_array at(size_t index) const {
    tuwen_array array = {};
    check(tuwen_outputs_at(get(), index, &array));
    return array;
  }
  tuwen_array operator[](const std::string& name) const {
    tuwen_array array = {};
    check(tuwen_outputs_get(get(), name.c_str(), &array));
    return array;
  }
  std::span<const float> values(const std::string& name) const {
    const tuwen_array array = (*this)[name];
    size_t count = 1;
    for (int32_t i = 0; i < array.rank; ++i) count *= static_cast<size_t>(array.shape[i]);
    return {array.data, count};
  }
  // A cache for the next call's past_key_values: the arrays "past.0.key", "past.0.value" ... as long as this lives.
  std::vector<tuwen_array> past() const {
    std::vector<tuwen_array> arrays;
    for (size_t i = 0; i < size(); ++i) {
      const tuwen_array array = at(i);
      if (std::string_view(array.name).starts_with("past.")) arrays.push_back(array);
    }
    return arrays;
  }
  const tuwen_outputs* get() const { return handle_.get(); }

 private:
  std::unique_ptr<tuwen_outputs, Deleter<tuwen_outputs_free>> handle_;
};

inline Outputs text_forward(Session& session, const tuwen_text_inputs& inputs) {
  tuwen_outputs* outputs = nullptr;
  check(tuwen_text_forward(session.get(), &inputs, &outputs));
  return Outputs(outputs);
}

inline Outputs vision_forward(Session& session, const tuwen_vision_inputs& inputs) {
  tuwen_outputs* outputs = nullptr;
  check(tuwen_vision_forward(session.get(), &inputs, &outputs));
  return Outputs(outputs);
}

// ChineseCLIPModel.forward: both towers, their normalised embeddings ("embeds") and the logits between them.
struct JointOutputs {
  Outputs text, vision;
  Matrix logits_per_image, logits_per_text;
  std::optional<float> loss;  // with return_loss, of as many texts as pictures
};

inline JointOutputs forward(Session& session, tuwen_text_inputs text, tuwen_vision_inputs vision,
                            bool return_loss = false) {
  for (uint32_t* outputs : {&text.outputs, &vision.outputs})
    *outputs = (*outputs == 0 ? uint32_t{TUWEN_OUTPUT_DEFAULT} : *outputs) | TUWEN_OUTPUT_EMBEDS;
  JointOutputs joint{text_forward(session, text), vision_forward(session, vision), {}, {}, {}};
  const tuwen_array t = joint.text["embeds"], v = joint.vision["embeds"];
  const auto texts = static_cast<size_t>(t.shape[0]), images = static_cast<size_t>(v.shape[0]);
  if (return_loss && texts != images) throw std::invalid_argument("forward: a loss needs as many texts as pictures");
  joint.logits_per_image = Matrix(images, texts);
  joint.logits_per_text = Matrix(texts, images);
  check(tuwen_logits(session.get(), v.data, images, t.data, texts, joint.logits_per_image.data.data(),
                     joint.logits_per_text.data.data()));
  if (return_loss) joint.loss = contrastive_loss(joint.logits_per_text);
  return joint;
}

}  // namespace tuwen
