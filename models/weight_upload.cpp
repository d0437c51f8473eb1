#include "models/weight_upload.h"

namespace tw {

void WeightUpload::copy(Buffer& to, const Buffer& from) {
  to = Buffer::on_device(api_, from.size(), "weights");
  queue_.copy(to.data(), from.data(), from.size());
}

void WeightUpload::copy(Linear& to, const Linear& from) {
  Buffer strips;
  copy(strips, from.weights.memory());
  to.weights = from.weights.moved_to(std::move(strips));
  copy(to.bias, from.bias);
}

void WeightUpload::copy(LayerNorm& to, const LayerNorm& from) {
  copy(to.gamma, from.gamma);
  copy(to.beta, from.beta);
  to.epsilon = from.epsilon;
}

}  // namespace tw
