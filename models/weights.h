// From tensors in a checkpoint to the structs that models compute with.
//
// A model describes its weights once, in a function that takes a WeightBinder. That function runs twice: first to
// compare every name and shape with the checkpoint and to add up the memory, then to read and pack.
#pragma once

#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "kernels/ops.h"

namespace tw {

// What the matrix products of the towers compute in. In bf16 and int8 models attention is bf16, in f16 models f16; the
// projections, the norms and the residual stream are f32 in all. f16 is for devices: the CPU's tables do not have it.
// FP8 models multiply E4M3 numbers and are bf16 in the rest, the patch embedding included; the CPU computes them as
// bf16 on rounded numbers.
enum class Precision { f32, int8, bf16, f16, fp8 };

// How products are computed. `exact`: as kernel_table.h says of `linear`. `fast`: on the CPU the large products of an
// image tower in f32 by Strassen's algorithm (kernels/pack_strassen.h): an eighth fewer multiplications, in up to 7/4
// of the memory, with errors up to about twice as large. On a device products in bf16 and f16 by its library where that
// is faster (kernels/product_choices.h), in twice the memory; their bits may depend on the batch.
enum class Plan { exact, fast };

struct CalibrationInputs;

struct LoadOptions {
  Precision precision = Precision::f32;
  Plan plan = Plan::exact;                         // fast: not in eight bits
  int threads = 1;                                 // readers; the result is the same
  int64_t memory_budget = 0;                       // bytes that packed weights may take; 0: no limit
  bool allow_unexpected = false;                   // ignore tensors that the configuration does not ask for
  const CalibrationInputs* calibration = nullptr;  // what eight-bit and FP8 products are scaled by; null: built in
  std::string calibration_file = {};               // or what `tuwen calibrate` has kept; empty: nothing
};

class WeightBinder {
 public:
  WeightBinder(const Checkpoint& checkpoint, const LoadOptions& options) : checkpoint_(checkpoint), options_(options) {}

  // A weight matrix [n, k] and, unless told otherwise, its bias [n]: "<name>.weight", "<name>.bias".
  enum class Bias { yes, no };
  void linear(Linear& w, const std::string& name, int64_t n, int64_t k, Bias bias = Bias::yes);
  // The same from a tensor with more than two dimensions, flattened behind the first: a patch convolution.
  void linear(Linear& w, const std::string& name, std::vector<int64_t> shape, Bias bias);
  // A weight matrix [n, k] that stays f32 whatever the precision.
  void projection(Linear& w, const std::string& name, int64_t n, int64_t k, Bias bias = Bias::no);
  // Several matrices [n, k] side by side as one product; each begins at a strip boundary: round_up(n, kStrip) apart.
  void joined(Linear& w, std::initializer_list<std::string> names, int64_t n, int64_t k);
  // Of a matrix that linear() was called for: to be multiplied with items of so many rows, all of them at once. Where
  // the plan is fast and the shape suits, it is packed for that in the end.
  void of_items(Linear& w, int64_t n, int64_t k, int64_t item_rows);
  void layer_norm(LayerNorm& w, const std::string& name, int64_t n, double epsilon);
  // A dense table.
  void table(Buffer& w, const std::string& name, std::vector<int64_t> shape);
  void scalar(float& value, const std::string& name);

  // Whether there is a tensor of that name, for parts that a model may lack.
  bool has(const std::string& name) const { return checkpoint_.find(name) != nullptr; }
  // Names that may be present and are not read.
  void ignore(const std::string& name) { expected_.insert(name); }

  // After the first run: throws one missing_tensor or shape_mismatch error that lists every missing, misshapen and
  // unexpected tensor with expected and found, or limit_exceeded if the packed weights would not fit the budget.
  void check();
  // After check() and the second run: reads everything. Throws what Checkpoint::read_f32 throws.
  void read();
  int64_t bytes() const { return bytes_; }  // memory of the packed weights

 private:
  bool loading() const { return checked_; }
  // Eight-bit and FP8 products are made from f32 ones later.
  DType product_type() const {
    switch (options_.precision) {
      case Precision::bf16:
        return DType::bf16;
      case Precision::f16:
        return DType::f16;
      default:
        return DType::f32;
    }
  }
  void make_room(Linear& w, int64_t n, int64_t k, DType type);
  // The tensor of that name and shape; null (and noted) if it is not there.
  const TensorInfo* expect(const std::string& name, const std::vector<int64_t>& shape);
  void matrix_rows(PackedMatrix& destination, int64_t first_row, const std::string& name,
                   const std::vector<int64_t>& shape);
  void vector(Buffer& destination, int64_t offset, int64_t size, const std::string& name, int64_t n);

  const Checkpoint& checkpoint_;
  LoadOptions options_;
  std::set<std::string> expected_;
  std::vector<std::string> missing_, misshapen_;
  std::vector<std::function<void()>> jobs_, last_jobs_;  // last: of what the others have made
  int64_t bytes_ = 0;
  bool checked_ = false;
};

}  // namespace tw
