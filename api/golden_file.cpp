#include "api/golden_file.h"

#include "core/error.h"
#include "io/safetensors.h"

namespace tw {

GoldenFile::GoldenFile(const std::string& path) : file_(File::open(path)) {
  for (StoredTensor& tensor : read_safetensors_header(file_).tensors)
    tensors_.emplace(tensor.info.name, std::move(tensor));
}

void GoldenFile::fail(const std::string& name, const std::string& expected, const std::string& found) const {
  throw Error(ErrorCode::shape_mismatch,
              {.file = file_.path(), .field = tensor_field(name), .expected = expected, .found = found});
}

const StoredTensor& GoldenFile::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) return found->second;
  throw Error(
      ErrorCode::missing_tensor,
      {.file = file_.path(), .field = tensor_field(name), .note = "scripts/make_goldens.py --model writes such files"});
}

const std::vector<int64_t>& GoldenFile::shape(const std::string& name, size_t rank) const {
  const std::vector<int64_t>& shape = find(name).info.shape;
  if (shape.size() != rank) fail(name, std::to_string(rank) + " dimensions", shape_text(shape));
  return shape;
}

template <class T>
std::vector<T> GoldenFile::read(const std::string& name, DType dtype) const {
  const StoredTensor& tensor = find(name);
  if (tensor.info.dtype != dtype) fail(name, std::string(tw::name(dtype)), std::string(tw::name(tensor.info.dtype)));
  int64_t count = 1;  // cannot overflow: the header's reader has checked that the bytes lie in the file
  for (const int64_t d : tensor.info.shape) count *= d;
  std::vector<T> values(static_cast<size_t>(count));
  file_.read_at(tensor.offset, std::as_writable_bytes(std::span(values)));
  return values;
}

std::vector<float> GoldenFile::f32(const std::string& name) const { return read<float>(name, DType::f32); }
std::vector<double> GoldenFile::f64(const std::string& name) const { return read<double>(name, DType::f64); }
std::vector<int64_t> GoldenFile::i64(const std::string& name) const { return read<int64_t>(name, DType::i64); }

std::vector<std::string> GoldenFile::items(const std::string& name) const {
  const std::vector<uint8_t> bytes = read<uint8_t>(name, DType::u8);
  const std::string table = name + ".begin";
  const std::vector<int64_t> begin = i64(table);
  std::vector<std::string> items;
  int64_t at = 0;
  for (size_t i = 0; i + 1 < begin.size(); ++i) {
    if (begin[i] != at || begin[i + 1] < at || begin[i + 1] > static_cast<int64_t>(bytes.size()))
      fail(table, "ascending positions in " + std::to_string(bytes.size()) + " bytes", std::to_string(begin[i + 1]));
    at = begin[i + 1];
    items.emplace_back(bytes.begin() + begin[i], bytes.begin() + at);
  }
  if (at != static_cast<int64_t>(bytes.size()))
    fail(table, "an end at " + std::to_string(bytes.size()), std::to_string(at));
  return items;
}

}  // namespace tw
