// The activation functions of the reference, by name. Formulas: kernels/reference/activation.cpp.
#pragma once

#include <optional>
#include <string_view>

namespace tw {

enum class Activation {
  linear,
  gelu,       // x Phi(x), by erf
  gelu_tanh,  // the tanh approximation
  gelu_fast,  // the same with truncated constants
  gelu_10,    // gelu clipped to [-10, 10]
  quick_gelu,
  silu,
  relu,
  relu2,
  relu6,
  leaky_relu,
  selu,
  mish,
  laplace,
  sigmoid,
  tanh,
};

// Accepts the 19 names of transformers 4.37.2 (ACT2CLS) and "selu", which its documentation promises.
std::optional<Activation> activation_from_name(std::string_view name);

// Every accepted name, comma-separated, for error messages.
std::string_view activation_names();

}  // namespace tw
