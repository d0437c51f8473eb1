#include "models/weight_upload.h"

#include <utility>

namespace tw {

void WeightUpload::copy(Buffer& to, const Buffer& from) {
  to = Buffer::on_device(api_, from.size(), "weights");
  queue_.copy(to.data(), from.data(), from.size());
}

void WeightUpload::copy(PackedMatrix& to, const PackedMatrix& from) {
  Buffer strips;
  copy(strips, from.memory());
  to = from.moved_to(std::move(strips));
}

// What is made for the device alone stays here until it is there.
void WeightUpload::repack(PackedMatrix& to, PackedMatrix made) {
  constexpr int64_t kMostOnTheirWay = int64_t{64} << 20;  // bytes
  if (repacked_bytes_ > kMostOnTheirWay) finish();
  repacked_bytes_ += made.bytes();
  repacked_.push_back(std::move(made));
  copy(to, repacked_.back());
}

void WeightUpload::copy(Linear& to, const Linear& from) {
  copy(to.bias, from.bias);
  if (from.fp8.input == 0) {
    const bool in_tiles = in_tiles_ && from.weights.type() != DType::f32;
    return in_tiles ? repack(to.weights, from.weights.as_tiles()) : copy(to.weights, from.weights);
  }
  const auto* factors = from.fp8.weights.as<float>();
  PackedMatrix e4m3 = from.weights.as_e4m3(factors);
  repack(to.weights, in_tiles_ ? e4m3.as_tiles() : std::move(e4m3));
  const int64_t n = from.fp8.weights.size() / size_of(DType::f32);
  scales_.emplace_back(n * size_of(DType::f32), "weights");
  for (int64_t i = 0; i < n; ++i) scales_.back().as<float>()[i] = 1.0f / (from.fp8.input * factors[i]);
  copy(to.fp8.scale, scales_.back());
  to.fp8.input = from.fp8.input;
}

void WeightUpload::copy(LayerNorm& to, const LayerNorm& from) {
  copy(to.gamma, from.gamma);
  copy(to.beta, from.beta);
  to.epsilon = from.epsilon;
}

}  // namespace tw
