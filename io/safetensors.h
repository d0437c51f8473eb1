// The safetensors format: 8 bytes header length, a JSON header, raw little-endian tensors.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "io/stored_tensor.h"

namespace tw {

struct SafetensorsHeader {
  std::vector<StoredTensor> tensors;            // in the order of their bytes
  std::map<std::string, std::string> metadata;  // "__metadata__", empty when the file has none
};

// Larger headers than any model's: 16 MiB hold 65,536 tensors with long names.
inline constexpr int64_t kMaxSafetensorsHeader = int64_t{16} << 20;

// Reads and checks the header. The rules are the reference reader's (safetensors 0.4, SafeTensors::read_metadata): the
// data section is covered exactly, without holes, overlaps or trailing bytes; byte counts agree with shape and type;
// nothing overflows; names, and keys within an entry, occur once. White space around the JSON object is allowed. Beyond
// the reference: a 16 MiB header, 65,536 tensors, 8 dimensions, names of 512 bytes, nesting 8 deep; missing metadata is
// fine.
//
// Throws truncated, malformed, unsupported (element types that nothing here uses, such as F8_E4M3) or limit_exceeded,
// with the tensor and key as the field. Element types read: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL.
SafetensorsHeader read_safetensors_header(const File& file);

// The same for a header already in memory. `data_begin` is where the data section starts in the file, `data_bytes` its
// size.
SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t data_begin, int64_t data_bytes,
                                           const std::string& file);

}  // namespace tw
