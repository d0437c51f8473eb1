#include "io/npy.h"

#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/checked_math.h"
#include "core/error.h"
#include "io/file.h"

namespace tw {

static_assert(std::endian::native == std::endian::little, "the header says little-endian");

namespace {

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
constexpr size_t kPrefix = 10;  // magic, version, length of the header

// Magic, length and header text of `width` bytes in all, a multiple of 64; 0: as few as hold any number of rows.
std::string make_header(int64_t rows, const std::vector<int64_t>& row_shape, size_t width) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ",";
  for (const int64_t d : row_shape) text += " " + std::to_string(d) + ",";
  if (!row_shape.empty()) text.pop_back();
  text += "), }";
  if (width == 0) width = static_cast<size_t>(round_up(static_cast<int64_t>(kPrefix + text.size()) + 20, 64));
  const uint16_t length = static_cast<uint16_t>(width - kPrefix);
  text.resize(length - size_t{1}, ' ');
  std::string header(kMagic);
  header += static_cast<char>(length & 0xFF);
  header += static_cast<char>(length >> 8);
  return header + text + "\n";
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// Takes `expected` from the front of `text`.
bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

std::optional<int64_t> take_number(std::string_view& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > 18) return std::nullopt;
  const int64_t number = std::stoll(std::string(text.substr(0, digits)));
  text.remove_prefix(digits);
  return number;
}

// "(3, 4), }" and what NumPy pads with.
std::optional<std::vector<int64_t>> take_shape(std::string_view text) {
  std::vector<int64_t> shape;
  if (!take(text, "(")) return std::nullopt;
  while (!take(text, ")")) {
    const std::optional<int64_t> size = take_number(text);
    if (!size || shape.size() == 8) return std::nullopt;
    shape.push_back(*size);
    const bool comma = take(text, ",");
    if (!comma && (!text.starts_with(")") || shape.size() == 1)) return std::nullopt;
    if (comma && !text.starts_with(")") && !take(text, " ")) return std::nullopt;
  }
  if (!take(text, ", }") || text.find_first_not_of(' ') != text.size() - 1 || text.back() != '\n') return std::nullopt;
  return shape;
}

}  // namespace

NpyWriter::NpyWriter(const std::filesystem::path& path, std::vector<int64_t> row_shape)
    : file_(path), row_shape_(std::move(row_shape)) {
  const std::optional<int64_t> elements = checked_product(row_shape_);
  if (!elements || *elements == 0 || row_shape_.size() > 7) {
    throw Error(ErrorCode::invalid_argument,
                {.file = file_.path(), .field = "row_shape", .expected = "at most 7 sizes above 0"});
  }
  row_elements_ = *elements;
  file_.write(bytes_of(make_header(0, row_shape_, 0)));
}

void NpyWriter::append(std::span<const float> rows) {
  const int64_t count = static_cast<int64_t>(rows.size());
  if (count % row_elements_ != 0) {
    throw Error(ErrorCode::invalid_argument, {.file = file_.path(),
                                              .field = "rows",
                                              .expected = "a multiple of " + std::to_string(row_elements_) + " values",
                                              .found = std::to_string(count)});
  }
  file_.write(std::as_bytes(rows));
  rows_ += count / row_elements_;
}

void NpyWriter::finish() {
  const size_t width = make_header(0, row_shape_, 0).size();
  file_.write_at(0, bytes_of(make_header(rows_, row_shape_, width)));
  file_.commit();
}

NpyArray read_npy(const std::filesystem::path& path, int64_t max_bytes) {
  const std::string content = read_whole(path, max_bytes);
  const std::string file = printable(path.native(), 512);
  const auto fail = [&](ErrorCode code, const std::string& field, const std::string& expected) {
    throw Error(code, {.file = file, .field = field, .expected = expected});
  };
  std::string_view text = content;
  if (text.size() < kPrefix) fail(ErrorCode::truncated, "header", "10 bytes at least");
  if (!take(text, kMagic)) fail(ErrorCode::unsupported, "magic", "NumPy format version 1.0");
  const size_t length = static_cast<uint8_t>(text[0]) + 256u * static_cast<uint8_t>(text[1]);
  text.remove_prefix(2);
  if (length > text.size()) fail(ErrorCode::truncated, "header", std::to_string(length) + " bytes");
  std::string_view header = text.substr(0, length);
  text.remove_prefix(length);
  if (!take(header, "{'descr': '<f4', 'fortran_order': False, 'shape': "))
    fail(ErrorCode::unsupported, "header", "'<f4' in C order");
  const std::optional<std::vector<int64_t>> shape = take_shape(header);
  if (!shape) fail(ErrorCode::malformed, "shape", "a tuple of at most 8 sizes");
  const std::optional<int64_t> elements = checked_product(*shape);
  const std::optional<int64_t> bytes = elements ? checked_mul(*elements, 4) : std::nullopt;
  if (!bytes || *bytes != static_cast<int64_t>(text.size()))
    fail(ErrorCode::truncated, "data", (bytes ? std::to_string(*bytes) : "fewer") + " bytes for the shape");
  NpyArray array{*shape, std::vector<float>(static_cast<size_t>(*elements))};
  if (*elements != 0) std::memcpy(array.values.data(), text.data(), text.size());
  return array;
}

}  // namespace tw
