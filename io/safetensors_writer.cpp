#include "io/safetensors_writer.h"

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "io/file_writer.h"

namespace tw {
namespace {

const char* format_name(DType type) {
  switch (type) {
    case DType::f64:
      return "F64";
    case DType::f32:
      return "F32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::i64:
      return "I64";
    case DType::i32:
      return "I32";
    case DType::i16:
      return "I16";
    case DType::i8:
      return "I8";
    case DType::u8:
      return "U8";
    case DType::boolean:
      return "BOOL";
    case DType::e4m3:
      return "F8_E4M3";
  }
  return "";
}

int64_t bytes_of(const TensorInfo& tensor) {
  int64_t bytes = size_of(tensor.dtype);  // cannot overflow: a Checkpoint has only tensors whose bytes exist
  for (const int64_t d : tensor.shape) bytes *= d;
  return bytes;
}

// Wide elements first, so that all are aligned; then by name, as the reference writer does.
std::vector<const TensorInfo*> in_order(const Checkpoint& checkpoint) {
  std::vector<const TensorInfo*> tensors;
  for (const TensorInfo& tensor : checkpoint.tensors()) tensors.push_back(&tensor);
  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo* a, const TensorInfo* b) {
    if (size_of(a->dtype) != size_of(b->dtype)) return size_of(a->dtype) > size_of(b->dtype);
    return a->dtype != b->dtype ? a->dtype < b->dtype : a->name < b->name;
  });
  return tensors;
}

std::string header_of(const std::vector<const TensorInfo*>& tensors, const std::string& file) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  int64_t offset = 0;
  for (const TensorInfo* tensor : tensors) {
    const int64_t end = offset + bytes_of(*tensor);
    header[tensor->name] = {
        {"dtype", format_name(tensor->dtype)}, {"shape", tensor->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  try {
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::malformed, {.file = file, .field = "a tensor's name", .expected = "UTF-8"});
  }
}

void write_weights(FileWriter& out, const Checkpoint& checkpoint) {
  const std::vector<const TensorInfo*> tensors = in_order(checkpoint);
  const std::string header = header_of(tensors, out.path());
  static_assert(std::endian::native == std::endian::little);
  const uint64_t size = header.size();
  out.write(std::as_bytes(std::span(&size, 1)));
  out.write(std::as_bytes(std::span(header)));
  std::vector<std::byte> bytes;
  for (const TensorInfo* tensor : tensors) {
    bytes.resize(static_cast<size_t>(bytes_of(*tensor)));
    checkpoint.read_as_stored(*tensor, bytes);
    out.write(bytes);
  }
}

}  // namespace

void save_tensors(const Checkpoint& checkpoint, const std::filesystem::path& file) {
  FileWriter weights(file);
  write_weights(weights, checkpoint);
  weights.commit();
}

void save_checkpoint(const Checkpoint& checkpoint, std::string_view config_json,
                     const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw Error(ErrorCode::io_error, {.file = printable(directory.native(), 512), .note = error.message()});
  FileWriter weights(directory / "model.safetensors");
  write_weights(weights, checkpoint);
  FileWriter config(directory / "config.json");
  config.write(std::as_bytes(std::span(config_json)));
  weights.commit();
  config.commit();
}

}  // namespace tw
