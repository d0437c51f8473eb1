#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/checked_math.h"
#include "core/error.h"
#include "io/safetensors_json.h"

namespace tw {
namespace {

std::optional<DType> dtype_of(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, DType>, 10> kTypes = {{{"F32", DType::f32},
                                                                          {"F16", DType::f16},
                                                                          {"BF16", DType::bf16},
                                                                          {"F64", DType::f64},
                                                                          {"I64", DType::i64},
                                                                          {"I32", DType::i32},
                                                                          {"I16", DType::i16},
                                                                          {"I8", DType::i8},
                                                                          {"U8", DType::u8},
                                                                          {"BOOL", DType::boolean}}};
  for (const auto& [name, dtype] : kTypes)
    if (name == text) return dtype;
  return std::nullopt;
}

struct Checked {
  StoredTensor tensor;
  int64_t begin;
  int64_t end;
};

// Types, shape and byte count of one entry.
Checked check_entry(SafetensorsEntry entry, int64_t data_begin, int64_t data_bytes, const std::string& file) {
  const auto fail = [&](ErrorCode code, const char* key, const std::string& expected, const std::string& found) {
    throw Error(code,
                {.file = file, .field = tensor_field(entry.name) + ": " + key, .expected = expected, .found = found});
  };
  const std::optional<DType> dtype = dtype_of(entry.dtype);
  if (!dtype)
    fail(ErrorCode::unsupported, "dtype", "F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL", printable(entry.dtype));
  if (entry.data_offsets.size() != 2)
    fail(ErrorCode::malformed, "data_offsets", "2 numbers", std::to_string(entry.data_offsets.size()));
  const int64_t begin = entry.data_offsets[0];
  const int64_t end = entry.data_offsets[1];
  if (end < begin) fail(ErrorCode::malformed, "data_offsets", "begin <= end", shape_text(entry.data_offsets));
  if (end > data_bytes) {
    fail(ErrorCode::truncated, "data_offsets",
         "at most " + std::to_string(data_bytes) + ", the size of the data section", std::to_string(end));
  }
  const std::optional<int64_t> elements = checked_product(entry.shape);
  const std::optional<int64_t> bytes = elements ? checked_mul(*elements, size_of(*dtype)) : std::nullopt;
  if (!bytes) fail(ErrorCode::malformed, "shape", "a size below 2^63 bytes", shape_text(entry.shape));
  if (*bytes != end - begin) {
    fail(ErrorCode::malformed, "data_offsets",
         std::to_string(*bytes) + " bytes for " + std::string(name(*dtype)) + " " + shape_text(entry.shape),
         std::to_string(end - begin));
  }
  return {{{std::move(entry.name), *dtype, std::move(entry.shape)}, data_begin + begin, {}}, begin, end};
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t data_begin, int64_t data_bytes,
                                           const std::string& file) {
  SafetensorsJson listed = parse_safetensors_json(json, file);
  std::vector<Checked> checked;
  checked.reserve(listed.entries.size());
  for (SafetensorsEntry& entry : listed.entries)
    checked.push_back(check_entry(std::move(entry), data_begin, data_bytes, file));
  const auto before = [](const Checked& a, const Checked& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  };
  if (!std::is_sorted(checked.begin(), checked.end(), before)) std::stable_sort(checked.begin(), checked.end(), before);

  SafetensorsHeader header;
  header.metadata = std::move(listed.metadata);
  header.tensors.reserve(checked.size());
  int64_t covered = 0;
  for (Checked& entry : checked) {
    if (entry.begin != covered) {
      throw Error(ErrorCode::malformed,
                  {.file = file,
                   .field = tensor_field(entry.tensor.info.name) + ": data_offsets",
                   .expected = "a begin of " + std::to_string(covered) + ", where the tensor before it ends",
                   .found = std::to_string(entry.begin)});
    }
    covered = entry.end;
    header.tensors.push_back(std::move(entry.tensor));
  }
  if (covered != data_bytes) {
    throw Error(ErrorCode::malformed, {.file = file,
                                       .field = "data section",
                                       .expected = std::to_string(covered) + " bytes, as the header lists",
                                       .found = std::to_string(data_bytes)});
  }
  return header;
}

SafetensorsHeader read_safetensors_header(const File& file) {
  constexpr int64_t kPrefix = 8;
  if (file.size() < kPrefix) {
    throw Error(
        ErrorCode::truncated,
        {.file = file.path(), .field = "header length", .expected = "8 bytes", .found = std::to_string(file.size())});
  }
  uint64_t length;
  file.read_at(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > static_cast<uint64_t>(kMaxSafetensorsHeader)) {
    throw Error(ErrorCode::limit_exceeded, {.file = file.path(),
                                            .field = "header length",
                                            .expected = "at most " + std::to_string(kMaxSafetensorsHeader),
                                            .found = std::to_string(length)});
  }
  const int64_t data_begin = kPrefix + static_cast<int64_t>(length);
  if (data_begin > file.size()) {
    throw Error(ErrorCode::truncated, {.file = file.path(),
                                       .field = "header",
                                       .expected = std::to_string(length) + " bytes",
                                       .found = std::to_string(file.size() - kPrefix)});
  }
  std::string json(static_cast<size_t>(length), '\0');
  file.read_at(kPrefix, std::as_writable_bytes(std::span(json)));
  return parse_safetensors_header(json, data_begin, file.size() - data_begin, file.path());
}

}  // namespace tw
