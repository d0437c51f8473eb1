// Checkpoints: opened, made, changed, saved.
#include <algorithm>
#include <map>

#include "api/boundary.h"
#include "api/handles.h"
#include "core/cpu_info.h"
#include "io/safetensors_writer.h"
#include "models/checkpoint_edit.h"

namespace tw {
namespace {

constexpr int kMaxThreads = 64;

constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::f64, DType::i64,
                            DType::i32, DType::i16, DType::i8,   DType::u8,  DType::boolean};
static_assert(kTypes[TUWEN_DTYPE_F32] == DType::f32 && kTypes[TUWEN_DTYPE_F64] == DType::f64);
static_assert(kTypes[TUWEN_DTYPE_I64] == DType::i64 && kTypes[TUWEN_DTYPE_BOOL] == DType::boolean);

tuwen_dtype number_of(DType type) {
  return static_cast<tuwen_dtype>(std::find(std::begin(kTypes), std::end(kTypes), type) - std::begin(kTypes));
}

std::string read_config_text(const char* config_json, size_t size) {
  if (size > 0) not_null(config_json, "config_json");
  std::string text(config_json == nullptr ? "" : config_json, size);
  parse_config(text, "config.json");
  return text;
}

CheckpointParts parts_of(const tuwen_checkpoint* checkpoint) {
  const tuwen_checkpoint& c = not_null(checkpoint, "checkpoint");
  return {c.config_json, c.tensors};
}

tuwen_checkpoint* handle_of(CheckpointParts parts) {
  return new tuwen_checkpoint{std::move(parts.config_json), std::move(parts.tensors)};
}

const TensorInfo& tensor_at(const tuwen_checkpoint* checkpoint, size_t index) {
  const auto& tensors = not_null(checkpoint, "checkpoint").tensors->tensors();
  if (index >= tensors.size()) {
    throw_argument("index", "less than " + std::to_string(tensors.size()), std::to_string(index));
  }
  return tensors[index];
}

size_t bytes_of(const TensorInfo& tensor) {
  int64_t bytes = size_of(tensor.dtype);  // cannot overflow: the bytes exist
  for (const int64_t d : tensor.shape) bytes *= d;
  return static_cast<size_t>(bytes);
}

Checkpoint::MemoryTensor read_tensor(const tuwen_tensor& t, const std::string& field, bool borrow) {
  checked_choice(t.dtype, TUWEN_DTYPE_BOOL, (field + ".dtype").c_str());
  checked_choice(t.rank, kMaxRank, (field + ".rank").c_str());
  if (t.rank > 0) not_null(t.shape, (field + ".shape").c_str());
  const auto* data = static_cast<const std::byte*>(t.data);
  if (t.size > 0) not_null(data, (field + ".data").c_str());
  Checkpoint::MemoryTensor tensor;
  tensor.info.name = &not_null(t.name, (field + ".name").c_str());
  tensor.info.dtype = kTypes[t.dtype];
  if (t.rank > 0) tensor.info.shape.assign(t.shape, t.shape + t.rank);
  if (borrow) {
    tensor.bytes = {data, t.size};
  } else {
    const auto copy = std::make_shared<const std::vector<std::byte>>(data, data + t.size);
    tensor.bytes = *copy;
    tensor.owner = copy;
  }
  return tensor;
}

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_checkpoint_open(const char* directory, tuwen_checkpoint** checkpoint) {
  return guarded([&] {
    not_null(checkpoint, "checkpoint");
    const std::string path = checked_path(directory, "directory");
    std::string config = read_config(path).json;
    *checkpoint = handle_of({std::move(config), std::make_shared<const Checkpoint>(Checkpoint::open(path))});
  });
}

tuwen_status tuwen_checkpoint_create(const char* config_json, size_t config_size, const tuwen_tensor* tensors,
                                     size_t count, const tuwen_create_options* options, tuwen_checkpoint** checkpoint) {
  return guarded([&] {
    not_null(checkpoint, "checkpoint");
    const tuwen_create_options o = read_options(options, "options");
    const bool borrow = checked_choice(o.borrow, 1, "options.borrow") == 1;
    std::string config = read_config_text(config_json, config_size);
    if (count > 0) not_null(tensors, "tensors");
    if (count > static_cast<size_t>(kMaxTensors))
      throw_argument("count", "at most " + std::to_string(kMaxTensors) + " tensors", std::to_string(count));
    std::vector<Checkpoint::MemoryTensor> read;
    for (size_t i = 0; i < count; ++i)
      read.push_back(read_tensor(tensors[i], "tensors[" + std::to_string(i) + "]", borrow));
    *checkpoint = handle_of({std::move(config), std::make_shared<const Checkpoint>(Checkpoint::of(std::move(read)))});
  });
}

tuwen_status tuwen_checkpoint_random(const char* config_json, size_t config_size, const tuwen_random_options* options,
                                     tuwen_checkpoint** checkpoint) {
  return guarded([&] {
    not_null(checkpoint, "checkpoint");
    const tuwen_random_options o = read_options(options, "options");
    check_reserved(o.reserved, "options");
    const int threads = checked_choice(o.threads, kMaxThreads, "options.threads");
    const RandomOptions how{.seed = o.seed,
                            .pooler = checked_choice(o.without_pooler, 1, "options.without_pooler") == 0,
                            .threads = threads == 0 ? std::min(query_cpu().cores, kMaxThreads) : threads};
    *checkpoint = handle_of(random_checkpoint(read_config_text(config_json, config_size), how));
  });
}

void tuwen_checkpoint_free(tuwen_checkpoint* checkpoint) { delete checkpoint; }

tuwen_status tuwen_checkpoint_get_config(const tuwen_checkpoint* checkpoint, tuwen_text* config_json) {
  return guarded([&] {
    const std::string& text = not_null(checkpoint, "checkpoint").config_json;
    not_null(config_json, "config_json") = {text.data(), text.size()};
  });
}

size_t tuwen_checkpoint_count(const tuwen_checkpoint* checkpoint) {
  return checkpoint == nullptr ? 0 : checkpoint->tensors->tensors().size();
}

tuwen_status tuwen_checkpoint_at(const tuwen_checkpoint* checkpoint, size_t index, tuwen_tensor* tensor) {
  return guarded([&] {
    const TensorInfo& info = tensor_at(checkpoint, index);
    not_null(tensor, "tensor") = {
        info.name.c_str(), number_of(info.dtype), static_cast<int32_t>(info.shape.size()), info.shape.data(),
        nullptr,           bytes_of(info)};
  });
}

tuwen_status tuwen_checkpoint_find(const tuwen_checkpoint* checkpoint, const char* name, size_t* index) {
  return guarded([&] {
    const Checkpoint& tensors = *not_null(checkpoint, "checkpoint").tensors;
    not_null(index, "index");
    const TensorInfo* found = tensors.find(&not_null(name, "name"));
    if (found == nullptr) throw Error(ErrorCode::missing_tensor, {.field = tensor_field(name)});
    *index = static_cast<size_t>(found - tensors.tensors().data());
  });
}

tuwen_status tuwen_checkpoint_read(const tuwen_checkpoint* checkpoint, size_t index, void* out, size_t size) {
  return guarded([&] {
    const TensorInfo& info = tensor_at(checkpoint, index);
    auto* bytes = static_cast<std::byte*>(out);
    if (size > 0) not_null(bytes, "out");
    checkpoint->tensors->read_as_stored(info, {bytes, size});
  });
}

tuwen_status tuwen_checkpoint_read_f32(const tuwen_checkpoint* checkpoint, size_t index, float* out, size_t count) {
  return guarded([&] {
    const TensorInfo& info = tensor_at(checkpoint, index);
    if (count > 0) not_null(out, "out");
    checkpoint->tensors->read_f32(info, {out, count}, false);
  });
}

tuwen_status tuwen_checkpoint_with_config(const tuwen_checkpoint* checkpoint, const char* config_json,
                                          size_t config_size, tuwen_checkpoint** changed) {
  return guarded([&] {
    CheckpointParts parts = parts_of(checkpoint);
    not_null(changed, "changed");
    parts.config_json = read_config_text(config_json, config_size);
    *changed = handle_of(std::move(parts));
  });
}

tuwen_status tuwen_checkpoint_tower(const tuwen_checkpoint* checkpoint, tuwen_towers tower, tuwen_checkpoint** alone) {
  return guarded([&] {
    const CheckpointParts parts = parts_of(checkpoint);
    not_null(alone, "alone");
    if (tower != TUWEN_TEXT_TOWER && tower != TUWEN_IMAGE_TOWER)
      throw_argument("tower", "TUWEN_TEXT_TOWER or TUWEN_IMAGE_TOWER", std::to_string(tower));
    *alone = handle_of(tower_alone(parts, static_cast<Towers>(tower)));
  });
}

tuwen_status tuwen_checkpoint_prune_heads(const tuwen_checkpoint* checkpoint, const int64_t* layers,
                                          const int64_t* heads, size_t count, tuwen_checkpoint** pruned) {
  return guarded([&] {
    const CheckpointParts parts = parts_of(checkpoint);
    not_null(pruned, "pruned");
    if (count > 0) not_null(layers, "layers"), not_null(heads, "heads");
    std::map<int64_t, std::vector<int64_t>> by_layer;
    for (size_t i = 0; i < count; ++i) by_layer[layers[i]].push_back(heads[i]);
    *pruned = handle_of(prune_heads(parts, by_layer));
  });
}

tuwen_status tuwen_checkpoint_save(const tuwen_checkpoint* checkpoint, const char* directory) {
  return guarded([&] {
    const CheckpointParts parts = parts_of(checkpoint);
    save_checkpoint(*parts.tensors, parts.config_json, checked_path(directory, "directory"));
  });
}
