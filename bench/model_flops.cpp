#include "bench/model_flops.h"

namespace tw::bench {
namespace {

struct Tower {
  double tokens, width, layers, heads, mlp;
};

// Of the layers: products in the model's type, and attention.
struct Layers {
  double products, attention;
};

Layers layers_of(const Tower& t) {
  const double before = t.layers - 1, w = t.width;
  Layers flops{before * 2 * t.tokens * w * (4 * w + 2 * t.mlp), before * 4 * t.tokens * t.tokens * w};
  const double query_and_output = 2 * 2 * w * w, absorbing = 2 * 2 * w * w;
  flops.products += query_and_output + absorbing + 4 * w * t.mlp;
  flops.attention += 2 * 2 * t.tokens * w * t.heads;
  return flops;
}

double layer_weights(const Tower& t) { return t.layers * t.width * (4 * t.width + 2 * t.mlp); }

Tower vision(const tuwen_model_info& i) {
  return {static_cast<double>(i.image_tokens), static_cast<double>(i.vision_width),
          static_cast<double>(i.vision_layers), static_cast<double>(i.vision_heads), static_cast<double>(i.vision_mlp)};
}

Tower text(const tuwen_model_info& i, int64_t tokens) {
  return {static_cast<double>(tokens), static_cast<double>(i.text_width), static_cast<double>(i.text_layers),
          static_cast<double>(i.text_heads), static_cast<double>(i.text_mlp)};
}

double projection(double width, const tuwen_model_info& i) { return width * static_cast<double>(i.embedding_size); }

// A patch's values times the width.
double patch_weights(const tuwen_model_info& i) {
  return 3 * static_cast<double>(i.patch_size * i.patch_size) * static_cast<double>(i.vision_width);
}

Flops flops_of(const Tower& t, double patches, double projected, std::string_view precision) {
  const Layers layers = layers_of(t);
  const double products = layers.products + patches;
  if (precision == "f32") return {products + layers.attention + projected, 0, 0};
  if (precision == "bf16" || precision == "f16" || precision == "fp8")
    return {projected, products + layers.attention, 0};
  return {projected, layers.attention, products};
}

double weight_size(std::string_view precision) { return precision == "f32" ? 4 : precision == "int8" ? 1 : 2; }

}  // namespace

Flops image_flops(const tuwen_model_info& i, std::string_view precision) {
  const Tower t = vision(i);
  return flops_of(t, 2 * (t.tokens - 1) * patch_weights(i), 2 * projection(t.width, i), precision);
}

Flops text_flops(const tuwen_model_info& i, int64_t tokens, std::string_view precision) {
  const Tower t = text(i, tokens);
  return flops_of(t, 0, 2 * projection(t.width, i), precision);
}

double image_weight_bytes(const tuwen_model_info& i, std::string_view precision) {
  const Tower t = vision(i);
  return weight_size(precision) * (layer_weights(t) + patch_weights(i)) + 4 * projection(t.width, i);
}

double text_weight_bytes(const tuwen_model_info& i, std::string_view precision) {
  const Tower t = text(i, 1);
  return weight_size(precision) * layer_weights(t) + 4 * projection(t.width, i);
}

}  // namespace tw::bench
