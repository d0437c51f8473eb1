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
    const bool narrow = from.weights.type() != DType::f32;
    if (in_tiles_ && narrow) {
      repack(to.weights, from.weights.as_tiles());
    } else {
      copy(to.weights, from.weights);
    }
    if (plain_ && narrow) copy_plain(to, from);
    return;
  }
  const auto* factors = from.fp8.weights.as<float>();
  PackedMatrix e4m3 = from.weights.as_e4m3(factors);
  repack(to.weights, in_tiles_ ? e4m3.as_tiles() : std::move(e4m3));
  const int64_t n = from.fp8.weights.size() / size_of(DType::f32);
  vectors_.emplace_back(n * size_of(DType::f32), "weights");
  for (int64_t i = 0; i < n; ++i) vectors_.back().as<float>()[i] = 1.0f / (from.fp8.input * factors[i]);
  copy(to.fp8.scale, vectors_.back());
  to.fp8.input = from.fp8.input;
}

void WeightUpload::copy_plain(Linear& to, const Linear& from) {
  repack(to.plain_rows, from.weights.as_rows());
  const int64_t n = from.bias.size() / size_of(DType::f32);
  const auto round = from.weights.type() == DType::f16 ? f32_to_f16 : f32_to_bf16;
  vectors_.emplace_back(n * size_of(DType::bf16), "weights");
  for (int64_t i = 0; i < n; ++i) vectors_.back().as<uint16_t>()[i] = round(from.bias.as<float>()[i]);
  copy(to.plain_bias, vectors_.back());
  plain_bytes_ += to.plain_rows.bytes() + to.plain_bias.size();
}

void WeightUpload::copy(LayerNorm& to, const LayerNorm& from) {
  copy(to.gamma, from.gamma);
  copy(to.beta, from.beta);
  to.epsilon = from.epsilon;
}

}  // namespace tw
