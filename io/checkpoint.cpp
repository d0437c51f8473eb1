#include "io/checkpoint.h"

#include <algorithm>
#include <array>
#include <set>
#include <system_error>
#include <utility>

#include "core/checked_math.h"
#include "core/error.h"
#include "io/cn_clip_names.h"
#include "io/json_text.h"
#include "io/safetensors.h"
#include "io/tensor_reader.h"
#include "io/torch_checkpoint.h"

namespace tw {
namespace {

constexpr int64_t kMaxIndexBytes = int64_t{16} << 20;
constexpr size_t kMaxShards = 256;  // each keeps a descriptor open
constexpr size_t kMaxShardNameBytes = 255;

constexpr std::array<const char*, 4> kNames = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                               "pytorch_model.bin.index.json"};

std::filesystem::path find_weights(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return path;
  for (const char* name : kNames)
    if (std::filesystem::exists(path / name, error)) return path / name;
  throw Error(ErrorCode::io_error, {.file = printable(path.native(), 512),
                                    .expected = "model.safetensors, model.safetensors.index.json, pytorch_model.bin "
                                                "or pytorch_model.bin.index.json",
                                    .found = "none of them"});
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// transformers 4.37.2, modeling_utils.py, _fix_key: TensorFlow's names of the LayerNorm parameters.
std::string modern_name(std::string name) {
  if (name.find("beta") != std::string::npos) {
    replace_all(name, "beta", "bias");
  } else if (name.find("gamma") != std::string::npos) {
    replace_all(name, "gamma", "weight");
  }
  return name;
}

// An index may name only files beside it: no directories, no hidden files.
void require_bare_name(const std::string& name, const std::string& file, const std::string& field) {
  const bool bare = !name.empty() && name.size() <= kMaxShardNameBytes && name.front() != '.' &&
                    name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  if (!bare) {
    throw Error(
        ErrorCode::malformed,
        {.file = file, .field = field, .expected = "the name of a file beside the index", .found = printable(name)});
  }
}

// tensor -> shard
std::map<std::string, std::string> read_index(const std::filesystem::path& path) {
  const std::string file = printable(path.native(), 512);
  const nlohmann::json index =
      parse_json(read_whole(path, kMaxIndexBytes), file, {.max_bytes = kMaxIndexBytes, .depth = 8});
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object())
    throw Error(ErrorCode::malformed, {.file = file, .field = "weight_map", .expected = "an object"});
  if (map->size() > static_cast<size_t>(kMaxTensors)) {
    throw Error(ErrorCode::limit_exceeded, {.file = file,
                                            .field = "weight_map",
                                            .expected = "at most " + std::to_string(kMaxTensors) + " tensors",
                                            .found = std::to_string(map->size())});
  }
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    const std::string field = "weight_map: \"" + printable(tensor) + "\"";
    if (!shard.is_string()) throw Error(ErrorCode::malformed, {.file = file, .field = field, .expected = "a string"});
    require_bare_name(shard.get_ref<const std::string&>(), file, field);
    shards.emplace(tensor, shard.get_ref<const std::string&>());
  }
  return shards;
}

// Weights are often copied without Git LFS; what arrives then is a small text file.
void refuse_lfs_pointer(const File& file) {
  constexpr std::string_view kPointer = "version https://git-lfs";
  std::string head(static_cast<size_t>(std::min(file.size(), static_cast<int64_t>(kPointer.size()))), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(head)));
  if (head != kPointer) return;
  throw Error(ErrorCode::malformed, {.file = file.path(),
                                     .expected = "weights",
                                     .found = "a Git LFS pointer",
                                     .note = "fetch the file itself with: git lfs pull"});
}

// What is in a weights file. Its content decides the format; the name only, how an unknown one is complained about.
std::vector<StoredTensor> read_tensors(const File& file) {
  refuse_lfs_pointer(file);
  const std::string& path = file.path();
  const bool named_torch = path.ends_with(".bin") || path.ends_with(".pt") || path.ends_with(".pth");
  const bool torch = named_torch || torch_format(file) != TorchFormat::none;
  std::vector<StoredTensor> tensors = torch ? read_torch_checkpoint(file) : read_safetensors_header(file).tensors;
  return is_cn_clip(tensors) ? hugging_face_names(std::move(tensors), path) : tensors;
}

}  // namespace

Checkpoint Checkpoint::open(const std::filesystem::path& directory_or_file) {
  const std::filesystem::path path = find_weights(directory_or_file);
  Checkpoint checkpoint;
  if (path.extension() == ".json") {
    checkpoint.add_shards(path);
  } else {
    checkpoint.add_file(File::open(path));
  }
  return checkpoint;
}

void Checkpoint::add_file(File file) {
  const File& added = *files_.emplace_back(std::make_unique<const File>(std::move(file)));
  for (StoredTensor& tensor : read_tensors(added)) add_tensor(&added, std::move(tensor));
}

void Checkpoint::add_shards(const std::filesystem::path& index) {
  const std::map<std::string, std::string> shard_of = read_index(index);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : shard_of) shards.insert(shard);
  if (shards.size() > kMaxShards) {
    throw Error(ErrorCode::limit_exceeded, {.file = printable(index.native(), 512),
                                            .field = "weight_map",
                                            .expected = "at most " + std::to_string(kMaxShards) + " files",
                                            .found = std::to_string(shards.size())});
  }
  std::map<std::string, const File*> file_of_shard;
  for (const std::string& shard : shards) {
    add_file(File::open(index.parent_path() / shard));
    file_of_shard.emplace(shard, files_.back().get());
  }
  for (const auto& [tensor, shard] : shard_of) {
    const auto found = by_name_.find(modern_name(tensor));
    if (found == by_name_.end() || locations_[found->second].file != file_of_shard.at(shard)) {
      throw Error(ErrorCode::malformed, {.file = printable(index.native(), 512),
                                         .field = "weight_map: \"" + printable(tensor) + "\"",
                                         .expected = "a tensor of " + printable(shard),
                                         .found = "none of that name there"});
    }
  }
}

void Checkpoint::add_tensor(const File* file, StoredTensor stored) {
  stored.info.name = modern_name(std::move(stored.info.name));
  if (static_cast<int64_t>(tensors_.size()) == kMaxTensors) {
    throw Error(ErrorCode::limit_exceeded,
                {.file = file->path(), .expected = "at most " + std::to_string(kMaxTensors) + " tensors"});
  }
  if (!by_name_.emplace(stored.info.name, tensors_.size()).second) {
    throw Error(ErrorCode::malformed, {.file = file->path(),
                                       .field = tensor_field(stored.info.name),
                                       .expected = "each name once",
                                       .found = "it twice"});
  }
  tensors_.push_back(std::move(stored.info));
  locations_.push_back({file, stored.offset, std::move(stored.strides)});
}

void Checkpoint::add_memory(MemoryTensor tensor) {
  const std::string field = tensor_field(tensor.info.name);
  if (tensor.info.name.empty() || static_cast<int64_t>(tensor.info.name.size()) > kMaxNameBytes) {
    throw Error(ErrorCode::malformed, {.field = field, .expected = "a name of 1 to 512 bytes"});
  }
  const std::optional<int64_t> count = checked_product(tensor.info.shape);
  const std::optional<int64_t> bytes = count ? checked_mul(*count, size_of(tensor.info.dtype)) : std::nullopt;
  if (static_cast<int64_t>(tensor.info.shape.size()) > kMaxRank || !bytes ||
      *bytes != static_cast<int64_t>(tensor.bytes.size())) {
    throw Error(ErrorCode::malformed, {.field = field,
                                       .expected = std::string(name(tensor.info.dtype)) + " " +
                                                   shape_text(tensor.info.shape) + " of at most 8 dimensions",
                                       .found = std::to_string(tensor.bytes.size()) + " bytes"});
  }
  files_.push_back(std::make_unique<const File>(File::over(tensor.bytes, "memory")));
  if (tensor.owner != nullptr) owners_.push_back(std::move(tensor.owner));
  add_tensor(files_.back().get(), {std::move(tensor.info), 0, {}});
}

Checkpoint Checkpoint::of(std::vector<MemoryTensor> tensors) {
  Checkpoint checkpoint;
  for (MemoryTensor& tensor : tensors) checkpoint.add_memory(std::move(tensor));
  return checkpoint;
}

Checkpoint Checkpoint::derived(std::shared_ptr<const Checkpoint> base,
                               const std::function<std::optional<std::string>(const std::string&)>& rename,
                               std::vector<MemoryTensor> others) {
  Checkpoint checkpoint;
  std::map<std::string, MemoryTensor> waiting;
  for (MemoryTensor& tensor : others) waiting.emplace(tensor.info.name, std::move(tensor));
  for (size_t i = 0; i < base->tensors_.size(); ++i) {
    const std::optional<std::string> name = rename(base->tensors_[i].name);
    if (!name) continue;
    if (const auto other = waiting.find(*name); other != waiting.end()) {  // in the place of the old one
      checkpoint.add_memory(std::move(other->second));
      waiting.erase(other);
      continue;
    }
    StoredTensor stored{base->tensors_[i], base->locations_[i].offset, base->locations_[i].strides};
    stored.info.name = *name;
    checkpoint.add_tensor(base->locations_[i].file, std::move(stored));
  }
  for (auto& [name, tensor] : waiting) checkpoint.add_memory(std::move(tensor));
  checkpoint.owners_.push_back(std::move(base));
  return checkpoint;
}

const TensorInfo* Checkpoint::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const Checkpoint::Location& Checkpoint::location(const TensorInfo& tensor) const {
  const auto found = by_name_.find(tensor.name);
  if (found == by_name_.end())
    throw Error(ErrorCode::invalid_argument,
                {.field = tensor_field(tensor.name), .note = "not a tensor of this checkpoint"});
  return locations_[found->second];
}

StoredTensor Checkpoint::stored(const TensorInfo& tensor) const {
  const Location& at = location(tensor);
  return {*find(tensor.name), at.offset, at.strides};
}

void Checkpoint::read_f32(const TensorInfo& tensor, std::span<float> out, bool check_finite) const {
  const StoredTensor from = stored(tensor);
  const std::optional<int64_t> elements = checked_product(from.info.shape);
  if (!elements || *elements != static_cast<int64_t>(out.size())) {
    throw Error(ErrorCode::invalid_argument, {.file = file_of(tensor),
                                              .field = tensor_field(tensor.name),
                                              .expected = shape_text(from.info.shape),
                                              .found = std::to_string(out.size()) + " elements asked for"});
  }
  read_rows_as_f32(*location(tensor).file, from, 0, out, check_finite);
}

void Checkpoint::read_f32_rows(const TensorInfo& tensor, int64_t first_row, std::span<float> out,
                               bool check_finite) const {
  read_rows_as_f32(*location(tensor).file, stored(tensor), first_row, out, check_finite);
}

void Checkpoint::read_as_stored(const TensorInfo& tensor, std::span<std::byte> out) const {
  tw::read_as_stored(*location(tensor).file, stored(tensor), out);
}

void Checkpoint::read_i64(const TensorInfo& tensor, std::span<int64_t> out) const {
  const StoredTensor from = stored(tensor);
  const std::optional<int64_t> elements = checked_product(from.info.shape);
  const bool plain = from.info.dtype == DType::i64 && from.strides.empty();
  if (!plain || !elements || *elements != static_cast<int64_t>(out.size())) {
    throw Error(plain ? ErrorCode::invalid_argument : ErrorCode::unsupported,
                {.file = file_of(tensor),
                 .field = tensor_field(tensor.name),
                 .expected = std::to_string(out.size()) + " i64 values",
                 .found = std::string(name(from.info.dtype)) + " " + shape_text(from.info.shape)});
  }
  location(tensor).file->read_at(from.offset, std::as_writable_bytes(out));
}

const std::string& Checkpoint::file_of(const TensorInfo& tensor) const { return location(tensor).file->path(); }

}  // namespace tw
