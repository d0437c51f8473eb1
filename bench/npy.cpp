#include "bench/npy.h"

#include <bit>
#include <fstream>
#include <stdexcept>
#include <string>

namespace tw::bench {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written as they lie in memory");

void save(const std::filesystem::path& path, const char* type, const std::vector<size_t>& shape,
          std::span<const std::byte> bytes) {
  std::string text = std::string("{'descr': '<") + type + "', 'fortran_order': False, 'shape': (";
  for (const size_t d : shape) text += std::to_string(d) + ", ";
  text += "), }";
  constexpr size_t kFixedBytes = 10, kAlignment = 64;
  text.append(kAlignment - (kFixedBytes + text.size() + 1) % kAlignment, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8);
  header += text;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(header.data(), static_cast<std::streamsize>(header.size()));
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace

void save_npy(const std::filesystem::path& path, const std::vector<size_t>& shape, std::span<const float> values) {
  save(path, "f4", shape, std::as_bytes(values));
}
void save_npy(const std::filesystem::path& path, const std::vector<size_t>& shape, std::span<const int32_t> values) {
  save(path, "i4", shape, std::as_bytes(values));
}
void save_npy(const std::filesystem::path& path, const std::vector<size_t>& shape, std::span<const int64_t> values) {
  save(path, "i8", shape, std::as_bytes(values));
}

}  // namespace tw::bench
