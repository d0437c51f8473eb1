#include <cfloat>
#include <cmath>

#include "core/dtype.h"
#include "kernels/reference/kernels.h"

namespace tw::reference {

void attention(const AttentionArgs& p) {
  float* probability = p.scratch;  // [keys]
  for (int64_t i = 0; i < p.queries; ++i) {
    const float* q = p.q + i * p.q_stride;
    double largest = -HUGE_VAL, sum = 0;
    const auto score = [&](int64_t j) {
      double s = 0;
      for (int64_t c = 0; c < p.width; ++c)
        s += static_cast<double>(q[c]) * static_cast<double>(p.k[j * p.k_stride + c]);
      return s * static_cast<double>(p.scale);
    };
    for (int64_t j = 0; j < p.keys; ++j) largest = std::fmax(largest, score(j));
    for (int64_t j = 0; j < p.keys; ++j) {
      const double e = std::exp(score(j) - largest);
      sum += e;
      probability[j] = static_cast<float>(e);
    }
    for (int64_t c = 0; c < p.width; ++c) {
      double out = 0;
      for (int64_t j = 0; j < p.keys; ++j)
        out += static_cast<double>(probability[j]) * static_cast<double>(p.v[j * p.v_stride + c]);
      p.out[i * p.out_stride + c] = static_cast<float>(out / sum);
    }
  }
}

void attention_full(const AttentionFullArgs& full) {
  const AttentionArgs& p = full.base;
  float* score = p.scratch;  // [keys]
  for (int64_t i = 0; i < p.queries; ++i) {
    const float* q = p.q + i * p.q_stride;
    float largest = -HUGE_VALF;
    bool undefined = false;
    for (int64_t j = 0; j < p.keys; ++j) {
      const float* k = p.k + j * p.k_stride;
      double s = 0;
      for (int64_t c = 0; c < p.width; ++c) s += static_cast<double>(q[c]) * static_cast<double>(k[c]);
      if (full.distances != nullptr) {
        const float* e = full.distances + (full.distance_of_first + i * full.distance_step - j) * p.width;
        for (int64_t c = 0; c < p.width; ++c) {
          const double asks = static_cast<double>(q[c]) + (full.distances_of_keys ? static_cast<double>(k[c]) : 0);
          s += asks * static_cast<double>(e[c]);
        }
      }
      const bool later = full.causal && j > full.causal_first + i;
      const float bias = later ? -FLT_MAX : full.bias != nullptr ? full.bias[i * full.bias_stride + j] : 0.0f;
      score[j] = static_cast<float>(s * static_cast<double>(p.scale)) + bias;
      largest = std::fmax(largest, score[j]);
      undefined |= std::isnan(score[j]);
    }
    double sum = 0;
    for (int64_t j = 0; j < p.keys; ++j) sum += std::exp(static_cast<double>(score[j]) - static_cast<double>(largest));
    if (undefined) sum = NAN;
    for (int64_t j = 0; j < p.keys; ++j) {
      const double e = std::exp(static_cast<double>(score[j]) - static_cast<double>(largest));
      score[j] = static_cast<float>(e / sum * static_cast<double>(full.head_scale));
      if (full.weights != nullptr) full.weights[i * full.weights_stride + j] = score[j];
    }
    for (int64_t c = 0; c < p.width; ++c) {
      double out = 0;
      for (int64_t j = 0; j < p.keys; ++j)
        out += static_cast<double>(score[j]) * static_cast<double>(p.v[j * p.v_stride + c]);
      p.out[i * p.out_stride + c] = static_cast<float>(out);
    }
  }
}

void attention_bf16(const AttentionBf16Args& p) {
  float* probability = p.scratch;  // [keys]
  const auto at = [](const uint16_t* base, int64_t i) { return static_cast<double>(tw::bf16_to_f32(base[i])); };
  for (int64_t i = 0; i < p.queries; ++i) {
    double largest = -HUGE_VAL, sum = 0;
    const auto score = [&](int64_t j) {
      double s = 0;
      for (int64_t c = 0; c < p.width; ++c) s += at(p.q, i * p.q_stride + c) * at(p.k, j * p.k_stride + c);
      return s * static_cast<double>(p.scale);
    };
    for (int64_t j = 0; j < p.keys; ++j) largest = std::fmax(largest, score(j));
    for (int64_t j = 0; j < p.keys; ++j) {
      const double e = std::exp(score(j) - largest);
      sum += e;
      probability[j] = static_cast<float>(e);
    }
    for (int64_t c = 0; c < p.width; ++c) {
      double out = 0;
      for (int64_t j = 0; j < p.keys; ++j)
        out += static_cast<double>(tw::bf16_to_f32(tw::f32_to_bf16(probability[j]))) * at(p.v, j * p.v_stride + c);
      p.out[i * p.out_stride + c] = tw::f32_to_bf16(static_cast<float>(out / sum));
    }
  }
}

}  // namespace tw::reference
