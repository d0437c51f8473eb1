#include "models/calibration_file.h"

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/sha256.h"
#include "io/safetensors_writer.h"
#include "io/stored_tensor.h"

namespace tw {
namespace {

// body(name, product) for each product of the tower, if it is there.
template <class Tower>
void for_each_named(const char* tower, const Tower* model,
                    const std::function<void(std::string, const Linear&)>& body) {
  if (model == nullptr) return;
  int64_t number = 0;
  model->for_each_linear([&](const Linear& w) { body(std::string(tower) + "." + std::to_string(number++), w); });
}

// Of the tower's weights in f32.
template <class Tower>
std::string fingerprint(const Tower& tower) {
  std::vector<std::byte> strips;
  tower.for_each_linear([&](const Linear& w) {
    const auto* strip = static_cast<const std::byte*>(w.weights.strip_at(0));
    strips.insert(strips.end(), strip, strip + w.weights.k() * kStrip * size_of(DType::f32));
  });
  return sha256(strips);
}

Checkpoint::MemoryTensor tensor_of(const std::string& name, DType type, std::span<const std::byte> bytes,
                                   std::shared_ptr<const void> owner) {
  return {{name, type, {std::ssize(bytes) / size_of(type)}}, bytes, std::move(owner)};
}

std::vector<float> read_floats(const Checkpoint& file, const std::string& path, const std::string& name, int64_t k) {
  const TensorInfo* tensor = file.find(name);
  if (tensor == nullptr) throw Error(ErrorCode::missing_tensor, {.file = path, .field = tensor_field(name)});
  if (tensor->shape != std::vector<int64_t>{k}) {
    throw Error(ErrorCode::shape_mismatch, {.file = path,
                                            .field = tensor_field(name),
                                            .expected = "[" + std::to_string(k) + "]",
                                            .note = "it is the calibration of another model"});
  }
  std::vector<float> values(static_cast<size_t>(k));
  file.read_f32(*tensor, values);
  return values;
}

template <class Tower>
void check_fingerprint(const Checkpoint& file, const std::string& path, const char* name, const Tower* tower) {
  if (tower == nullptr) return;
  const std::string field = std::string(name) + ".weights", expected = fingerprint(*tower);
  const TensorInfo* tensor = file.find(field);
  if (tensor == nullptr) throw Error(ErrorCode::missing_tensor, {.file = path, .field = tensor_field(field)});
  std::string found(expected.size(), ' ');
  if (tensor->dtype == DType::u8 && tensor->shape == std::vector<int64_t>{std::ssize(found)})
    file.read_as_stored(*tensor, std::as_writable_bytes(std::span(found)));
  if (found == expected) return;
  throw Error(ErrorCode::shape_mismatch, {.file = path,
                                          .field = tensor_field(field),
                                          .expected = expected,
                                          .found = printable(found),
                                          .note = "it is the calibration of another model"});
}

}  // namespace

void save_calibration(const Calibration& calibration, const ChineseClip& model, const std::filesystem::path& file) {
  std::vector<Checkpoint::MemoryTensor> tensors;
  const auto add_text = [&](const std::string& name, const std::string& value) {
    const auto kept = std::make_shared<const std::string>(value);
    tensors.push_back(tensor_of(name, DType::u8, std::as_bytes(std::span(*kept)), kept));
  };
  const auto add_floats = [&](const std::string& name, std::vector<float> values) {
    const auto kept = std::make_shared<const std::vector<float>>(std::move(values));
    tensors.push_back(tensor_of(name, DType::f32, std::as_bytes(std::span(*kept)), kept));
  };
  const auto add = [&](const std::string& name, const Linear& w) {
    const ProductInput& input = calibration.input_of(w);
    std::vector<float> mean;
    for (int64_t k = 0; k < w.weights.k(); ++k) mean.push_back(input.mean(k));
    add_floats(name + ".largest", input.largest());
    add_floats(name + ".mean", std::move(mean));
  };
  for_each_named("text", model.text(), add);
  for_each_named("vision", model.vision(), add);
  if (model.text() != nullptr) add_text("text.weights", fingerprint(*model.text()));
  if (model.vision() != nullptr) add_text("vision.weights", fingerprint(*model.vision()));
  save_tensors(Checkpoint::of(std::move(tensors)), file);
}

Calibration read_calibration(const std::filesystem::path& file, const ChineseClip& model) {
  const Checkpoint checkpoint = Checkpoint::open(file);
  const std::string path = printable(file.native(), 512);
  check_fingerprint(checkpoint, path, "text", model.text());
  check_fingerprint(checkpoint, path, "vision", model.vision());
  Calibration calibration;
  const auto read = [&](const std::string& name, const Linear& w) {
    const int64_t k = w.weights.k();
    calibration.set(w, ProductInput(read_floats(checkpoint, path, name + ".largest", k),
                                    read_floats(checkpoint, path, name + ".mean", k)));
  };
  for_each_named("text", model.text(), read);
  for_each_named("vision", model.vision(), read);
  return calibration;
}

}  // namespace tw
