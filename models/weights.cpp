#include "models/weights.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "core/checked_math.h"
#include "core/error.h"
#include "core/jobs.h"
#include "io/stored_tensor.h"

namespace tw {
namespace {

constexpr int64_t kJobFloats = int64_t{1} << 20;    // 4 MiB of a tensor are one thread's job
constexpr int64_t kPieceFloats = int64_t{1} << 16;  // and 256 KiB are read, checked and packed while in its cache
constexpr size_t kListedTensors = 20;               // of each kind in an error

std::string text_of(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (const int64_t d : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(d);
  return out + "]";
}

int64_t elements(const std::vector<int64_t>& shape) {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

std::string list(const std::vector<std::string>& lines, const char* title) {
  if (lines.empty()) return {};
  std::string out = "\n  " + std::to_string(lines.size()) + " " + title + ":";
  for (size_t i = 0; i < std::min(lines.size(), kListedTensors); ++i) out += "\n    " + lines[i];
  if (lines.size() > kListedTensors) out += "\n    ...";
  return out;
}

// Finite numbers that f16 rounds to infinity.
void check_f16(const Checkpoint& checkpoint, const TensorInfo& tensor, std::span<const float> values) {
  for (const float v : values) {
    if (std::abs(v) < 65520.0f) continue;
    throw Error(ErrorCode::non_finite, {.file = checkpoint.file_of(tensor),
                                        .field = tensor_field(tensor.name),
                                        .expected = "magnitudes that f16 holds, up to 65504",
                                        .found = std::to_string(v)});
  }
}

}  // namespace

const TensorInfo* WeightBinder::expect(const std::string& name, const std::vector<int64_t>& shape) {
  const TensorInfo* tensor = checkpoint_.find(name);
  if (!loading()) {
    expected_.insert(name);
    if (tensor == nullptr) {
      missing_.push_back(name + " " + text_of(shape));
    } else if (tensor->shape != shape) {
      misshapen_.push_back(name + ": expected " + text_of(shape) + ", found " + text_of(tensor->shape));
    }
  }
  return tensor;
}

void WeightBinder::matrix_rows(PackedMatrix& destination, int64_t first_row, const std::string& name,
                               const std::vector<int64_t>& shape) {
  const TensorInfo* tensor = expect(name, shape);
  if (!loading()) return;
  const int64_t n = tensor->shape[0], k = destination.k();
  const auto rows_in = [k](int64_t floats) {
    return std::max<int64_t>(kStrip, floats / std::max<int64_t>(k, 1) / kStrip * kStrip);
  };
  for (int64_t begin = 0, rows = rows_in(kJobFloats); begin < n; begin += rows) {
    const int64_t step = checkpoint_.is_stored_transposed(*tensor) ? rows : rows_in(kPieceFloats);
    jobs_.push_back([=, this, end = std::min(begin + rows, n), target = &destination] {
      const auto piece = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(std::min(step, n) * k));
      for (int64_t r = begin; r < end; r += step) {
        const int64_t count = std::min(step, end - r);
        checkpoint_.read_f32_rows(*tensor, r, {piece.get(), static_cast<size_t>(count * k)});
        if (target->type() == DType::f16)
          check_f16(checkpoint_, *tensor, {piece.get(), static_cast<size_t>(count * k)});
        target->set_rows(first_row + r, count, piece.get());
      }
    });
  }
}

void WeightBinder::vector(Buffer& destination, int64_t offset, int64_t size, const std::string& name, int64_t n) {
  const TensorInfo* tensor = expect(name, {n});
  if (!loading()) {
    if (offset == 0) bytes_ += size * size_of(DType::f32);
    return;
  }
  if (offset == 0) destination = Buffer(size * size_of(DType::f32), "weights");
  float* out = destination.as<float>() + offset;
  jobs_.push_back([this, tensor, out, n] { checkpoint_.read_f32(*tensor, {out, static_cast<size_t>(n)}); });
}

void WeightBinder::make_room(Linear& w, int64_t n, int64_t k, DType type) {
  if (loading()) {
    w.weights = PackedMatrix(n, k, type, "weights");
  } else {
    bytes_ += PackedMatrix::bytes_for(n, k, type);
  }
}

void WeightBinder::linear(Linear& w, const std::string& name, int64_t n, int64_t k, Bias bias) {
  linear(w, name, {n, k}, bias);
}

void WeightBinder::linear(Linear& w, const std::string& name, std::vector<int64_t> shape, Bias bias) {
  const int64_t n = shape[0], k = elements(shape) / std::max<int64_t>(n, 1);
  make_room(w, n, k, product_type());
  matrix_rows(w.weights, 0, name + ".weight", shape);
  if (bias == Bias::yes) vector(w.bias, 0, n, name + ".bias", n);
}

void WeightBinder::projection(Linear& w, const std::string& name, int64_t n, int64_t k, Bias bias) {
  make_room(w, n, k, DType::f32);
  matrix_rows(w.weights, 0, name + ".weight", {n, k});
  if (bias == Bias::yes) vector(w.bias, 0, n, name + ".bias", n);
}

void WeightBinder::joined(Linear& w, std::initializer_list<std::string> names, int64_t n, int64_t k) {
  const int64_t apart = round_up(n, kStrip), total = apart * static_cast<int64_t>(names.size());
  make_room(w, total, k, product_type());
  int64_t first = 0;
  for (const std::string& name : names) {
    matrix_rows(w.weights, first, name + ".weight", {n, k});
    vector(w.bias, first, total, name + ".bias", n);
    first += apart;
  }
}

void WeightBinder::of_items(Linear& w, int64_t n, int64_t k, int64_t item_rows) {
  if (options_.plan != Plan::fast || !suits_strassen(item_rows, n, k)) return;
  if (!loading()) {
    bytes_ += PackedStrassen::bytes_for(n, k) - PackedMatrix::bytes_for(n, k, DType::f32);
    return;
  }
  last_jobs_.push_back([&w] {
    w.strassen = PackedStrassen(w.weights);
    w.weights.release();
  });
}

void WeightBinder::layer_norm(LayerNorm& w, const std::string& name, int64_t n, double epsilon) {
  vector(w.gamma, 0, n, name + ".weight", n);
  vector(w.beta, 0, n, name + ".bias", n);
  w.epsilon = static_cast<float>(epsilon);
}

void WeightBinder::table(Buffer& w, const std::string& name, std::vector<int64_t> shape) {
  const TensorInfo* tensor = expect(name, shape);
  const int64_t count = elements(shape);
  if (!loading()) {
    bytes_ += count * size_of(DType::f32);
    return;
  }
  w = Buffer(count * size_of(DType::f32), "weights");
  const int64_t n = shape[0], each = count / std::max<int64_t>(n, 1);
  const int64_t rows = std::max<int64_t>(1, kJobFloats / std::max<int64_t>(each, 1));
  for (int64_t begin = 0; begin < n; begin += rows) {
    const int64_t some = std::min(rows, n - begin) * each;
    jobs_.push_back([=, this, out = w.as<float>() + begin * each] {
      checkpoint_.read_f32_rows(*tensor, begin, {out, static_cast<size_t>(some)});
    });
  }
}

void WeightBinder::scalar(float& value, const std::string& name) {
  const TensorInfo* tensor = expect(name, {});
  if (loading()) jobs_.push_back([this, tensor, &value] { checkpoint_.read_f32(*tensor, {&value, 1}); });
}

void WeightBinder::check() {
  std::vector<std::string> unexpected;
  for (const TensorInfo& tensor : checkpoint_.tensors()) {
    if (!options_.allow_unexpected && !expected_.contains(tensor.name))
      unexpected.push_back(printable(tensor.name) + " " + text_of(tensor.shape));
  }
  if (!missing_.empty() || !misshapen_.empty() || !unexpected.empty()) {
    const std::string file = checkpoint_.tensors().empty() ? "" : checkpoint_.file_of(checkpoint_.tensors().front());
    throw Error(missing_.empty() ? ErrorCode::shape_mismatch : ErrorCode::missing_tensor,
                {.file = file,
                 .note = "the weights do not fit config.json" + list(missing_, "missing") +
                         list(misshapen_, "of another shape") + list(unexpected, "not asked for")});
  }
  if (options_.memory_budget > 0 && bytes_ > options_.memory_budget) {
    throw Error(ErrorCode::limit_exceeded, {.field = "memory budget",
                                            .expected = "at most " + std::to_string(options_.memory_budget) + " bytes",
                                            .found = std::to_string(bytes_) + " bytes of packed weights"});
  }
  checked_ = true;
}

void WeightBinder::read() {
  for (std::vector<std::function<void()>>* jobs : {&jobs_, &last_jobs_}) {
    run_jobs(options_.threads, std::ssize(*jobs), [&](int64_t i) { (*jobs)[static_cast<size_t>(i)](); });
    jobs->clear();
  }
}

}  // namespace tw
