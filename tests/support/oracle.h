// An independent computation of every op in double, from the textbook formulas and with plain loops. Kernel tests
// compare all tables with it, `reference` included, so nothing here may be shared with kernels/.
//
// Matrices are row-major and dense; widen() reads strided f32 data. Linear weights are [out, in] as in checkpoints.
// Results that carry a `magnitude` give, per element, the sum of |terms| that a componentwise error bound needs
// (tests/support/error_bound.h).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tw::test {

using Doubles = std::vector<double>;

inline Doubles doubles(int64_t count) { return Doubles(static_cast<size_t>(count), 0.0); }

inline Doubles widen(const float* data, int64_t rows, int64_t cols, int64_t stride) {
  Doubles out;
  out.reserve(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) out.push_back(static_cast<double>(data[r * stride + c]));
  }
  return out;
}
inline Doubles widen(std::span<const float> values) { return Doubles(values.begin(), values.end()); }

struct Sum {
  Doubles value;      // sum of the terms
  Doubles magnitude;  // sum of the terms' absolute values
};

// y[m, n] = sum_k a[m, k] * w[n, k] + bias[n].   a [m_count, k_count], w [n_count, k_count], bias [n_count] or empty.
inline Sum linear(std::span<const double> a, std::span<const double> w, std::span<const double> bias, int64_t m_count,
                  int64_t n_count, int64_t k_count) {
  Sum y{doubles(m_count * n_count), doubles(m_count * n_count)};
  for (int64_t m = 0; m < m_count; ++m) {
    for (int64_t n = 0; n < n_count; ++n) {
      const double* row = a.data() + m * k_count;
      const double* column = w.data() + n * k_count;
      double value = bias.empty() ? 0.0 : bias[static_cast<size_t>(n)];
      double magnitude = std::abs(value);
      for (int64_t k = 0; k < k_count; ++k) {
        value += row[k] * column[k];
        magnitude += std::abs(row[k] * column[k]);
      }
      y.value[static_cast<size_t>(m * n_count + n)] = value;
      y.magnitude[static_cast<size_t>(m * n_count + n)] = magnitude;
    }
  }
  return y;
}

// (x - mean) / sqrt(variance + eps) * gamma + beta for each row of x [rows, cols]; biased variance, two passes.
// Ba, Kiros, Hinton 2016, arXiv:1607.06450.
inline Doubles layer_norm(std::span<const double> x, std::span<const double> gamma, std::span<const double> beta,
                          int64_t rows, int64_t cols, double eps) {
  Doubles y = doubles(rows * cols);
  for (int64_t r = 0; r < rows; ++r) {
    const double* in = x.data() + r * cols;
    double mean = 0.0;
    for (int64_t c = 0; c < cols; ++c) mean += in[c];
    mean /= static_cast<double>(cols);
    double variance = 0.0;
    for (int64_t c = 0; c < cols; ++c) variance += (in[c] - mean) * (in[c] - mean);
    variance /= static_cast<double>(cols);
    for (int64_t c = 0; c < cols; ++c) {
      const auto i = static_cast<size_t>(c);
      y[static_cast<size_t>(r * cols + c)] = (in[c] - mean) / std::sqrt(variance + eps) * gamma[i] + beta[i];
    }
  }
  return y;
}

// exp(x - max) / sum for each row of x [rows, cols].
inline Doubles softmax(std::span<const double> x, int64_t rows, int64_t cols) {
  Doubles y = doubles(rows * cols);
  for (int64_t r = 0; r < rows; ++r) {
    const double* in = x.data() + r * cols;
    double* out = y.data() + r * cols;
    const double max = *std::max_element(in, in + cols);
    double sum = 0.0;
    for (int64_t c = 0; c < cols; ++c) sum += out[c] = std::exp(in[c] - max);
    for (int64_t c = 0; c < cols; ++c) out[c] /= sum;
  }
  return y;
}

struct Attention {
  Doubles probabilities;    // [queries, keys]
  Doubles context;          // [queries, width]
  Doubles magnitude;        // [queries, width]: sum over keys of p |v|
  Doubles score_magnitude;  // [queries]: the largest scale * sum |q| |k| over the keys
};

// One head of one item: softmax(scale * q k^T + mask) v.   q [queries, width], k and v [keys, width],
// mask [queries, keys] is added to the scores, or empty. -inf removes a key. Vaswani et al. 2017, arXiv:1706.03762,
// eq. 1.
inline Attention attention(std::span<const double> q, std::span<const double> k, std::span<const double> v,
                           std::span<const double> mask, int64_t queries, int64_t keys, int64_t width, double scale) {
  Attention a{{}, doubles(queries * width), doubles(queries * width), doubles(queries)};
  const Sum products = linear(q, k, {}, queries, keys, width);
  Doubles scores = products.value;
  for (int64_t i = 0; i < queries; ++i) {
    for (int64_t j = 0; j < keys; ++j) {
      const auto at = static_cast<size_t>(i * keys + j);
      scores[at] = scale * scores[at] + (mask.empty() ? 0.0 : mask[at]);
      double& largest = a.score_magnitude[static_cast<size_t>(i)];
      largest = std::max(largest, scale * products.magnitude[at]);
    }
  }
  a.probabilities = softmax(scores, queries, keys);
  for (int64_t i = 0; i < queries; ++i) {
    for (int64_t j = 0; j < keys; ++j) {
      const double p = a.probabilities[static_cast<size_t>(i * keys + j)];
      for (int64_t c = 0; c < width; ++c) {
        const double value = v[static_cast<size_t>(j * width + c)];
        a.context[static_cast<size_t>(i * width + c)] += p * value;
        a.magnitude[static_cast<size_t>(i * width + c)] += p * std::abs(value);
      }
    }
  }
  return a;
}

// x / sqrt(sum x^2) for each row of x [rows, cols]; no epsilon, so a zero row becomes NaN.
inline Doubles l2_normalize(std::span<const double> x, int64_t rows, int64_t cols) {
  Doubles y = doubles(rows * cols);
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0.0;
    for (int64_t c = 0; c < cols; ++c)
      sum += x[static_cast<size_t>(r * cols + c)] * x[static_cast<size_t>(r * cols + c)];
    for (int64_t c = 0; c < cols; ++c) {
      y[static_cast<size_t>(r * cols + c)] = x[static_cast<size_t>(r * cols + c)] / std::sqrt(sum);
    }
  }
  return y;
}

// Convolution with stride = kernel = patch, no padding, no bias.   pixels [channels, height, width],
// w [out, channels, patch, patch] -> [height / patch * (width / patch), out], patches in row-major order.
inline Sum patch_embedding(std::span<const double> pixels, std::span<const double> w, int64_t channels, int64_t height,
                           int64_t width, int64_t patch, int64_t out) {
  const int64_t grid_rows = height / patch, grid_cols = width / patch;
  Sum y{doubles(grid_rows * grid_cols * out), doubles(grid_rows * grid_cols * out)};
  for (int64_t gy = 0; gy < grid_rows; ++gy) {
    for (int64_t gx = 0; gx < grid_cols; ++gx) {
      for (int64_t o = 0; o < out; ++o) {
        const auto at = static_cast<size_t>((gy * grid_cols + gx) * out + o);
        for (int64_t c = 0; c < channels; ++c) {
          for (int64_t py = 0; py < patch; ++py) {
            for (int64_t px = 0; px < patch; ++px) {
              const auto pixel = static_cast<size_t>((c * height + gy * patch + py) * width + gx * patch + px);
              const auto weight = static_cast<size_t>(((o * channels + c) * patch + py) * patch + px);
              y.value[at] += pixels[pixel] * w[weight];
              y.magnitude[at] += std::abs(pixels[pixel] * w[weight]);
            }
          }
        }
      }
    }
  }
  return y;
}

// The activations of transformers 4.37.2 (ACT2CLS, 19 names) and torch.nn.SELU, by their names in config.json.
// Throws std::invalid_argument for any other name.
inline double activation(std::string_view name, double x) {
  const auto sigmoid = [](double t) { return 1.0 / (1.0 + std::exp(-t)); };
  const auto gelu = [](double t) { return t * 0.5 * std::erfc(-t / std::numbers::sqrt2); };
  if (name == "gelu" || name == "gelu_python") return gelu(x);
  if (name == "gelu_new" || name == "gelu_accurate" || name == "gelu_pytorch_tanh") {
    return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  }
  if (name == "gelu_fast") return 0.5 * x * (1.0 + std::tanh(0.7978845608 * x * (1.0 + 0.044715 * x * x)));
  if (name == "gelu_10") return std::clamp(gelu(x), -10.0, 10.0);
  if (name == "quick_gelu") return x * sigmoid(1.702 * x);
  if (name == "silu" || name == "swish") return x * sigmoid(x);
  if (name == "relu") return x < 0.0 ? 0.0 : x;
  if (name == "relu2") return x < 0.0 ? 0.0 : x * x;
  if (name == "relu6") return std::clamp(x, 0.0, 6.0);
  if (name == "leaky_relu") return x < 0.0 ? 0.01 * x : x;
  if (name == "mish") return x * std::tanh(x > 40.0 ? x : std::log1p(std::exp(x)));
  if (name == "laplace") return 0.5 * std::erfc(-(x - 0.707107) / (0.282095 * std::numbers::sqrt2));
  if (name == "linear") return x;
  if (name == "sigmoid") return sigmoid(x);
  if (name == "tanh") return std::tanh(x);
  if (name == "selu") return 1.0507009873554805 * (x > 0.0 ? x : 1.6732632423543772 * std::expm1(x));
  throw std::invalid_argument("no such activation: " + std::string(name));
}

}  // namespace tw::test
