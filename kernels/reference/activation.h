// The formulas of every activation, in double. Sources: transformers 4.37.2 activations.py; selu: Klambauer et al.
// 2017, arXiv:1706.02515.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/activation.h"

namespace tw::reference {

inline double gelu(double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0))); }
inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

inline double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::linear:
      return x;
    case Activation::gelu:
      return gelu(x);
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::gelu_fast:
      return 0.5 * x * (1 + std::tanh(x * 0.7978845608 * (1 + 0.044715 * x * x)));
    case Activation::gelu_10:
      return std::clamp(gelu(x), -10.0, 10.0);
    case Activation::quick_gelu:
      return x * sigmoid(1.702 * x);
    case Activation::silu:
      return x * sigmoid(x);
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::relu2:
      return std::max(x, 0.0) * std::max(x, 0.0);
    case Activation::relu6:
      return std::clamp(x, 0.0, 6.0);
    case Activation::leaky_relu:
      return x > 0 ? x : 0.01 * x;
    case Activation::selu:
      return 1.0507009873554804934193349852946 * (x > 0 ? x : 1.6732632423543772848170429916717 * std::expm1(x));
    case Activation::mish:
      return x * std::tanh(std::log1p(std::exp(x)));
    case Activation::laplace:
      return 0.5 * (1 + std::erf((x - 0.707107) / (0.282095 * std::sqrt(2.0))));
    case Activation::sigmoid:
      return sigmoid(x);
    case Activation::tanh:
      return std::tanh(x);
  }
  return x;
}

}  // namespace tw::reference
