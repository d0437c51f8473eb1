#include "bench/model_flops.h"

namespace tw::bench {
namespace {

struct Tower {
  double tokens, width, layers, heads, mlp;
};

double full_layer(const Tower& t) {
  return 2 * t.tokens * t.width * (4 * t.width + 2 * t.mlp) + 4 * t.tokens * t.tokens * t.width;
}

double absorbed_layer(const Tower& t) {
  const double query_and_output = 2 * 2 * t.width * t.width, absorbing = 2 * 2 * t.width * t.width;
  const double scores_and_sums = 2 * 2 * t.tokens * t.width * t.heads;
  return query_and_output + absorbing + scores_and_sums + 4 * t.width * t.mlp;
}

double tower_flops(const Tower& t) { return (t.layers - 1) * full_layer(t) + absorbed_layer(t); }

double tower_bytes(const Tower& t) { return 4 * t.layers * t.width * (4 * t.width + 2 * t.mlp); }

Tower vision(const tuwen_model_info& i) {
  return {static_cast<double>(i.image_tokens), static_cast<double>(i.vision_width),
          static_cast<double>(i.vision_layers), static_cast<double>(i.vision_heads), static_cast<double>(i.vision_mlp)};
}

Tower text(const tuwen_model_info& i, int64_t tokens) {
  return {static_cast<double>(tokens), static_cast<double>(i.text_width), static_cast<double>(i.text_layers),
          static_cast<double>(i.text_heads), static_cast<double>(i.text_mlp)};
}

double projection(double width, const tuwen_model_info& i) { return width * static_cast<double>(i.embedding_size); }

}  // namespace

double image_flops(const tuwen_model_info& i) {
  const Tower t = vision(i);
  const double patch = 3 * static_cast<double>(i.patch_size * i.patch_size);
  return tower_flops(t) + 2 * (t.tokens - 1) * patch * t.width + 2 * projection(t.width, i);
}

double text_flops(const tuwen_model_info& i, int64_t tokens) {
  const Tower t = text(i, tokens);
  return tower_flops(t) + 2 * projection(t.width, i);
}

double image_weight_bytes(const tuwen_model_info& i) {
  const Tower t = vision(i);
  return tower_bytes(t) + 4 * (3 * static_cast<double>(i.patch_size * i.patch_size) * t.width + projection(t.width, i));
}

double text_weight_bytes(const tuwen_model_info& i) {
  const Tower t = text(i, 1);
  return tower_bytes(t) + 4 * projection(t.width, i);
}

}  // namespace tw::bench
