#include "kernels/activation.h"

#include <utility>

namespace tw {
namespace {

constexpr std::pair<std::string_view, Activation> kNames[] = {
    {"gelu", Activation::gelu},
    {"gelu_python", Activation::gelu},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_accurate", Activation::gelu_tanh},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_fast},
    {"gelu_10", Activation::gelu_10},
    {"quick_gelu", Activation::quick_gelu},
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"relu", Activation::relu},
    {"relu2", Activation::relu2},
    {"relu6", Activation::relu6},
    {"leaky_relu", Activation::leaky_relu},
    {"selu", Activation::selu},
    {"mish", Activation::mish},
    {"laplace", Activation::laplace},
    {"linear", Activation::linear},
    {"sigmoid", Activation::sigmoid},
    {"tanh", Activation::tanh},
};

}  // namespace

std::optional<Activation> activation_from_name(std::string_view name) {
  for (const auto& [known, activation] : kNames)
    if (known == name) return activation;
  return std::nullopt;
}

std::string_view activation_names() {
  return "gelu, gelu_python, gelu_new, gelu_accurate, gelu_pytorch_tanh, gelu_fast, gelu_10, quick_gelu, silu, swish, "
         "relu, relu2, relu6, leaky_relu, selu, mish, laplace, linear, sigmoid, tanh";
}

}  // namespace tw
