#include "kernels/blaslt_product.h"

#include <algorithm>

namespace tw {
namespace {

int type_of(DType type) {
  return type == DType::f32 ? blaslt::kF32 : type == DType::f16 ? blaslt::kF16 : blaslt::kBf16;
}

}  // namespace

uint32_t alignment_of(const void* address) {
  constexpr uintptr_t kMost = 256;
  const auto a = reinterpret_cast<uintptr_t>(address);
  return static_cast<uint32_t>(a == 0 ? kMost : std::min(kMost, a & (~a + 1)));
}

// The type of a bias is that of the results.
const void* library_bias(const LinearNarrowArgs& p, const PlainWeights& w) {
  return p.y_type == DType::f32 ? p.bias : w.bias;
}

bool BlasLtProduct::takes(const LinearNarrowArgs& p, const PlainWeights& w) {
  return w.rows != nullptr && p.rows > 0 && (p.type == DType::bf16 || p.type == DType::f16) && p.scale == nullptr &&
         (p.y_type == p.type || (p.y_type == DType::f32 && p.activation == Activation::linear));
}

BlasLtProduct::BlasLtProduct(const OpenBlasLt& library, const LinearNarrowArgs& p, const PlainWeights& w)
    : library_(library), p_(p), w_(w), whole_(describe()) {}

BlasLtProduct::~BlasLtProduct() {
  for (void* matrix : {y_, x_, weights_})
    if (matrix != nullptr) library_.api.destroy_matrix(matrix);
  if (product_ != nullptr) library_.api.destroy_product(product_);
}

bool BlasLtProduct::describe() {
  const BlasLtApi& api = library_.api;
  const void* bias = library_bias(p_, w_);
  const int y_type = type_of(p_.y_type), epilogue = bias == nullptr ? blaslt::kNoEpilogue : blaslt::kBias;
  const auto set = [&](int attribute, const auto& value) {
    return api.set_product(product_, attribute, &value, sizeof value) == 0;
  };
  const auto matrix = [&](void*& made, int type, int64_t rows, int64_t columns, int64_t stride) {
    return api.create_matrix(&made, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), stride) == 0;
  };
  return api.create_product(&product_, blaslt::kComputeF32, blaslt::kF32) == 0 &&
         set(blaslt::kTransposeA, blaslt::kTransposed) && set(blaslt::kEpilogue, epilogue) &&
         (bias == nullptr || (set(blaslt::kBiasType, y_type) && set(blaslt::kBiasPointer, bias))) &&
         matrix(weights_, type_of(p_.type), p_.k, p_.columns, p_.k) &&
         matrix(x_, type_of(p_.type), p_.k, p_.rows, p_.x_stride) &&
         matrix(y_, y_type, p_.columns, p_.rows, p_.y_stride);
}

int BlasLtProduct::candidates(std::span<blaslt::Candidate> found) const {
  const BlasLtApi& api = library_.api;
  void* preference = nullptr;
  if (!whole_ || api.create_preference(&preference) != 0) return 0;
  const auto set = [&](int attribute, const auto& value) {
    return api.set_preference(preference, attribute, &value, sizeof value) == 0;
  };
  const uint32_t y_alignment = alignment_of(p_.y);
  int count = 0;
  const bool asked = set(blaslt::kMostWorkspace, static_cast<uint64_t>(kWorkspace)) &&
                     set(blaslt::kReductions, blaslt::kInComputeType) &&  // not in bf16 or f16
                     set(blaslt::kAlignmentA, alignment_of(w_.rows)) && set(blaslt::kAlignmentB, alignment_of(p_.x)) &&
                     set(blaslt::kAlignmentC, y_alignment) && set(blaslt::kAlignmentD, y_alignment) &&
                     api.candidates(library_.handle, product_, weights_, x_, y_, y_, preference,
                                    static_cast<int>(found.size()), found.data(), &count) == 0;
  api.destroy_preference(preference);
  if (!asked) return 0;
  const auto good = [](const blaslt::Candidate& c) {
    return c.status == 0 && c.workspace <= static_cast<size_t>(kWorkspace);
  };
  return static_cast<int>(std::stable_partition(found.begin(), found.begin() + count, good) - found.begin());
}

bool BlasLtProduct::can(const blaslt::Algorithm& algorithm) const {
  blaslt::Candidate result = {};
  return whole_ && library_.api.check(library_.handle, product_, weights_, x_, y_, y_, &algorithm, &result) == 0 &&
         result.status == 0 && result.workspace <= static_cast<size_t>(kWorkspace);
}

bool BlasLtProduct::run(const blaslt::Algorithm& algorithm, void* y, void* workspace, const DeviceTable& own,
                        DeviceStream stream) const {
  const float alpha = 1.0f, beta = p_.add_to_output ? 1.0f : 0.0f;
  if (!whole_ || library_.api.multiply(library_.handle, product_, &alpha, w_.rows, weights_, p_.x, x_, &beta, y, y_, y,
                                       y_, &algorithm, workspace, static_cast<size_t>(kWorkspace), stream) != 0)
    return false;
  if (p_.activation != Activation::linear)
    own.activate(stream, {p_.y_type, y, p_.y_stride, p_.rows, p_.columns, p_.activation});
  return true;
}

}  // namespace tw
