#include "io/tensor_reader.h"

#include <algorithm>
#include <array>
#include <memory>

#include "core/checked_math.h"
#include "core/error.h"
#include "io/convert.h"

namespace tw {
namespace {

[[noreturn]] void fail(ErrorCode code, const File& file, const StoredTensor& tensor, const std::string& expected,
                       const std::string& found) {
  throw Error(code,
              {.file = file.path(), .field = tensor_field(tensor.info.name), .expected = expected, .found = found});
}

void require_finite(const File& file, const StoredTensor& tensor, std::span<const float> values, int64_t first_index) {
  const int64_t at = first_non_finite(values);
  if (at < 0) return;
  const float value = values[static_cast<size_t>(at)];
  fail(ErrorCode::non_finite, file, tensor, "finite values",
       std::string(value != value ? "NaN" : "infinity") + " at flat index " + std::to_string(first_index + at));
}

std::unique_ptr<std::byte[]> make_buffer(int64_t bytes) {
  return std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(bytes));
}

// Elements [first, first + out.size()) of a tensor without gaps.
void read_contiguous(const File& file, const StoredTensor& tensor, int64_t first, std::span<float> out, bool check) {
  const DType dtype = tensor.info.dtype;
  const int64_t width = size_of(dtype);
  const int64_t total = static_cast<int64_t>(out.size());
  // Pieces that fit the second-level cache, so that conversion and check do not go to memory again.
  const int64_t most = std::min(total, kReadBufferBytes / width);
  const std::unique_ptr<std::byte[]> buffer = dtype == DType::f32 ? nullptr : make_buffer(most * width);
  for (int64_t done = 0; done < total; done += most) {
    const int64_t count = std::min(most, total - done);
    const std::span<float> piece = out.subspan(static_cast<size_t>(done), static_cast<size_t>(count));
    const int64_t offset = tensor.offset + (first + done) * width;
    if (dtype == DType::f32) {
      file.read_at(offset, std::as_writable_bytes(piece));
    } else {
      file.read_at(offset, {buffer.get(), static_cast<size_t>(count * width)});
      convert_to_f32(dtype, buffer.get(), piece);
    }
    if (check) require_finite(file, tensor, piece, first + done);
  }
}

// A forward-moving view of part of a file.
class Window {
 public:
  Window(const File& file, int64_t begin, int64_t end)
      : file_(file), limit_(end), capacity_(std::min(kReadBufferBytes, end - begin)), bytes_(make_buffer(capacity_)) {}

  // The element of `width` bytes at `offset`, which lies in the view. Elements after it are read along with it.
  const std::byte* element(int64_t offset, int64_t width) {
    if (offset < begin_ || offset + width > end_) {
      begin_ = offset;
      end_ = std::min(offset + capacity_, limit_);
      file_.read_at(begin_, {bytes_.get(), static_cast<size_t>(end_ - begin_)});
    }
    return bytes_.get() + (offset - begin_);
  }

 private:
  const File& file_;
  int64_t limit_;
  int64_t capacity_;
  int64_t begin_ = 0;
  int64_t end_ = 0;
  std::unique_ptr<std::byte[]> bytes_;
};

struct Axis {
  int64_t size;
  int64_t file_step;  // bytes
  int64_t out_step;   // elements
};

// Any strides: elements are visited in the order in which they lie in the file. put(element, index in the output).
template <class Put>
void visit_strided(const File& file, const StoredTensor& tensor, int64_t first_row, int64_t count, Put put) {
  const int64_t width = size_of(tensor.info.dtype);
  const size_t rank = tensor.info.shape.size();
  std::array<Axis, kMaxRank> axes;
  int64_t out_step = 1;
  int64_t last = 0;  // byte offset of the last element from the first
  for (size_t d = rank; d-- > 0;) {
    const int64_t size = d == 0 ? count / out_step : tensor.info.shape[d];
    axes[d] = {size, tensor.strides[d] * width, out_step};
    last += (size - 1) * axes[d].file_step;
    out_step *= size;
  }
  const int64_t begin = tensor.offset + first_row * axes[0].file_step;
  std::stable_sort(axes.begin(), axes.begin() + static_cast<std::ptrdiff_t>(rank),
                   [](const Axis& a, const Axis& b) { return a.file_step > b.file_step; });

  Window window(file, begin, begin + last + width);
  std::array<int64_t, kMaxRank> index = {};
  int64_t from = begin;
  int64_t to = 0;
  for (int64_t n = 0; n < count; ++n) {
    put(window.element(from, width), to);
    for (size_t d = rank; d-- > 0;) {  // the next index, last axis fastest
      from += axes[d].file_step;
      to += axes[d].out_step;
      if (++index[d] < axes[d].size) break;
      from -= axes[d].size * axes[d].file_step;
      to -= axes[d].size * axes[d].out_step;
      index[d] = 0;
    }
  }
}

void read_strided(const File& file, const StoredTensor& tensor, int64_t first_row, std::span<float> out) {
  visit_strided(file, tensor, first_row, static_cast<int64_t>(out.size()), [&](const std::byte* element, int64_t to) {
    convert_to_f32(tensor.info.dtype, element, out.subspan(static_cast<size_t>(to), 1));
  });
}

}  // namespace

bool fits(const StoredTensor& tensor, int64_t begin, int64_t end) {
  const std::vector<int64_t>& shape = tensor.info.shape;
  const std::optional<int64_t> elements = checked_product(shape);
  if (!elements || tensor.offset < begin || tensor.offset > end) return false;
  if (*elements == 0) return true;
  int64_t last = *elements - 1;  // in elements from the first
  if (!tensor.strides.empty()) {
    if (tensor.strides.size() != shape.size()) return false;
    last = 0;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (tensor.strides[d] < 0) return false;
      const std::optional<int64_t> reach = checked_mul(shape[d] - 1, tensor.strides[d]);
      const std::optional<int64_t> sum = reach ? checked_add(last, *reach) : std::nullopt;
      if (!sum) return false;
      last = *sum;
    }
  }
  const std::optional<int64_t> count = checked_add(last, 1);
  const std::optional<int64_t> bytes = count ? checked_mul(*count, size_of(tensor.info.dtype)) : std::nullopt;
  return bytes && *bytes <= end - tensor.offset;
}

void read_rows_as_f32(const File& file, const StoredTensor& tensor, int64_t first_row, std::span<float> out,
                      bool check_finite) {
  const std::vector<int64_t>& shape = tensor.info.shape;
  if (!is_floating(tensor.info.dtype))
    fail(ErrorCode::unsupported, file, tensor, "a floating-point tensor", std::string(name(tensor.info.dtype)));

  const int64_t rows = shape.empty() ? 1 : shape[0];
  const int64_t wanted = static_cast<int64_t>(out.size());
  if (wanted == 0 && first_row >= 0 && first_row <= rows) return;
  // No product when the shape is absurd but empty, such as [0, 2^40, 2^40]: then nothing can be asked for.
  const int64_t row_elements = shape.empty() ? 1 : checked_product(std::span(shape).subspan(1)).value_or(0);
  if (row_elements == 0 || wanted % row_elements != 0 || first_row < 0 || first_row > rows ||
      wanted / row_elements > rows - first_row) {
    fail(ErrorCode::invalid_argument, file, tensor, shape_text(shape),
         std::to_string(wanted) + " elements asked for from row " + std::to_string(first_row));
  }
  if (tensor.strides.empty()) {
    read_contiguous(file, tensor, first_row * row_elements, out, check_finite);
  } else {
    read_strided(file, tensor, first_row, out);
    if (check_finite) require_finite(file, tensor, out, first_row * row_elements);
  }
  file.check_unchanged();
}

void read_as_stored(const File& file, const StoredTensor& tensor, std::span<std::byte> out) {
  const int64_t width = size_of(tensor.info.dtype);
  const std::optional<int64_t> count = checked_product(tensor.info.shape);
  const std::optional<int64_t> bytes = count ? checked_mul(*count, width) : std::nullopt;
  if (!bytes || *bytes != static_cast<int64_t>(out.size())) {
    fail(ErrorCode::invalid_argument, file, tensor, shape_text(tensor.info.shape),
         std::to_string(out.size()) + " bytes asked for");
  }
  if (out.empty()) return;
  if (tensor.strides.empty()) {
    file.read_at(tensor.offset, out);
  } else {
    visit_strided(file, tensor, 0, *count, [&](const std::byte* element, int64_t to) {
      std::copy(element, element + width, out.data() + to * width);
    });
  }
  file.check_unchanged();
}

}  // namespace tw
