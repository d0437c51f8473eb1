// attention and what works row by row: layer_norm, softmax, l2_normalize, activation.
#include <algorithm>

#include "kernels/check/evidence.h"

namespace tw::check {
namespace {

constexpr int64_t kColumns[] = {1, 7, 8, 15, 16, 17, 33, 80, 768};

double largest_of(const Matrix& x, int64_t row) {
  double largest = x.value(row, 0);
  for (int64_t c = 1; c < x.columns(); ++c) largest = std::max(largest, x.value(row, c));
  return largest;
}

// Queries, keys and values of one head.
struct Head {
  Matrix q, k, v;
  float scale;
};

Matrix attend(const KernelTable& table, const Head& h) {
  const int64_t queries = h.q.rows(), keys = h.k.rows(), width = h.q.columns();
  Matrix out(queries, width);
  Lines<float> scratch = scratch_of(attention_scratch(keys, width));
  table.attention({.q = h.q.data(),
                   .k = h.k.data(),
                   .v = h.v.data(),
                   .q_stride = h.q.stride(),
                   .k_stride = h.k.stride(),
                   .v_stride = h.v.stride(),
                   .out = out.data(),
                   .out_stride = out.stride(),
                   .queries = queries,
                   .keys = keys,
                   .width = width,
                   .scale = h.scale,
                   .scratch = scratch.data()});
  return out;
}

// The whole of attention for one query; the bound is kernel_table.h's.
void check_query(const Head& h, int64_t i, const Matrix& out, Verdict& verdict) {
  const int64_t keys = h.k.rows(), width = h.q.columns();
  const auto scale = static_cast<double>(h.scale);
  std::vector<double> p(static_cast<size_t>(keys));
  double largest = -HUGE_VAL, sum = 0, terms = 0;
  for (int64_t j = 0; j < keys; ++j) {
    double score = 0, score_terms = 0;
    for (int64_t c = 0; c < width; ++c) {
      score += scale * h.q.value(i, c) * h.k.value(j, c);
      score_terms += std::abs(scale * h.q.value(i, c) * h.k.value(j, c));
    }
    p[static_cast<size_t>(j)] = score;
    largest = std::max(largest, score);
    terms = std::max(terms, score_terms);
  }
  for (double& v : p) sum += v = std::exp(v - largest);
  const double relative = 2 * (static_cast<double>(width) + 4) * terms + static_cast<double>(keys) + 16;
  for (int64_t c = 0; c < width; ++c) {
    double expected = 0, magnitude = 0;
    for (int64_t j = 0; j < keys; ++j) {
      expected += p[static_cast<size_t>(j)] / sum * h.v.value(j, c);
      magnitude += p[static_cast<size_t>(j)] / sum * std::abs(h.v.value(j, c));
    }
    verdict.near("numbers", i, c, out.at(i, c), expected, relative * kUnit * magnitude);
  }
}

}  // namespace

void attention(const KernelTable& table, Generator& random, Verdict& verdict) {
  struct Shape {
    int64_t queries, keys, width;
  };
  for (const Shape& s : {Shape{1, 1, 1},
                         {7, 7, 8},
                         {16, 17, 24},
                         {25, 33, 16},
                         {30, 52, 64},
                         {3, 100, 80},
                         {26, 1041, 24},
                         {2, 2305, 64}}) {
    const auto number = [&] { return random.uniform(-2, 2); };
    Head h{Matrix(s.queries, s.width, number), Matrix(s.keys, s.width, number), Matrix(s.keys, s.width, number), 0.25f};
    const Matrix out = attend(table, h);
    verdict.intact("numbers", out);
    for (int64_t i = 0; i < s.queries; ++i) check_query(h, i, out, verdict);

    // One key stands so far above the others that it alone counts: its value comes out exactly.
    const int64_t chosen = random.integer(0, s.keys - 1);
    for (int64_t i = 0; i < s.queries; ++i) h.q.at(i, s.width - 1) = 1000;
    for (int64_t j = 0; j < s.keys; ++j) h.k.at(j, s.width - 1) = j == chosen ? 5 : -5;
    const Matrix selected = attend(table, h);
    verdict.intact("one key", selected);
    for (int64_t i = 0; i < s.queries; ++i)
      for (int64_t c = 0; c < s.width; ++c) verdict.exact("one key", i, c, selected.at(i, c), h.v.value(chosen, c));
  }
}

void layer_norm(const KernelTable& table, Generator& random, Verdict& verdict) {
  struct Row {
    float mean, spread;
  };
  constexpr Row kRows[] = {{0, 1}, {10000, 0.01f}, {-3, 100}, {0.1f, 0}};
  for (const int64_t columns : kColumns) {
    for (const float epsilon : {1e-5f, 1e-12f}) {
      const int64_t rows = std::ssize(kRows);
      const auto number = [&] { return random.uniform(-2, 2); };
      Matrix x(rows, columns, number);
      const Matrix gamma(1, columns, number), beta(1, columns, number);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) x.at(r, c) = kRows[r].mean + kRows[r].spread * x.at(r, c);
      Matrix y(rows, columns);
      table.layer_norm({x.data(), x.stride(), gamma.data(), beta.data(), y.data(), y.stride(), rows, columns, epsilon});
      verdict.intact("rows", y);
      for (int64_t r = 0; r < rows; ++r) {
        double mean = 0, variance = 0;
        for (int64_t c = 0; c < columns; ++c) mean += x.value(r, c) / static_cast<double>(columns);
        for (int64_t c = 0; c < columns; ++c)
          variance += (x.value(r, c) - mean) * (x.value(r, c) - mean) / static_cast<double>(columns);
        const double sigma = std::sqrt(variance + static_cast<double>(epsilon));
        for (int64_t c = 0; c < columns; ++c) {
          const double z = (x.value(r, c) - mean) / sigma, g = gamma.value(0, c), b = beta.value(0, c);
          const double bound =
              16 * kUnit * (std::abs(g) * (1 + std::abs(z)) * (1 + 16 * kUnit * std::abs(mean) / sigma) + std::abs(b));
          verdict.near("rows", r, c, y.at(r, c), z * g + b, bound);
        }
      }
    }
  }
}

void softmax(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const int64_t columns : kColumns) {
    for (const float spread : {1.0f, 100.0f}) {
      const Matrix x(3, columns, [&] { return random.uniform(-spread, spread); });
      Matrix y(3, columns);
      table.softmax({x.data(), x.stride(), y.data(), y.stride(), 3, columns, Activation::linear});
      verdict.intact("rows", y);
      for (int64_t r = 0; r < 3; ++r) {
        const double largest = largest_of(x, r);
        double sum = 0;
        for (int64_t c = 0; c < columns; ++c) sum += std::exp(x.value(r, c) - largest);
        for (int64_t c = 0; c < columns; ++c) {
          const double expected = std::exp(x.value(r, c) - largest) / sum;
          const double relative = largest - x.value(r, c) + static_cast<double>(columns) / 8 + 8;
          verdict.near("rows", r, c, y.at(r, c), expected, relative * kUnit * expected + 0x1p-126);
        }
      }
    }
  }
}

void l2_normalize(const KernelTable& table, Generator& random, Verdict& verdict) {
  for (const int64_t columns : kColumns) {
    Matrix x(3, columns, [&] { return random.uniform(-2, 2); });
    for (int64_t c = 0; c < columns; ++c) x.at(1, c) = 0;  // becomes NaN, as in the reference
    Matrix y(3, columns);
    table.l2_normalize({x.data(), x.stride(), y.data(), y.stride(), 3, columns, Activation::linear});
    verdict.intact("rows", y);
    for (int64_t r = 0; r < 3; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < columns; ++c) sum += x.value(r, c) * x.value(r, c);
      for (int64_t c = 0; c < columns; ++c) {
        const double expected = x.value(r, c) / std::sqrt(sum);
        verdict.near("rows", r, c, y.at(r, c), expected,
                     (static_cast<double>(columns) / 16 + 8) * kUnit * std::abs(expected));
      }
    }
  }
}

void activation(const KernelTable& table, Generator&, Verdict& verdict) {
  // f(-1.5) and f(0.75) in f64, from transformers 4.37.2 (torch for selu).
  struct Known {
    const char* name;
    Activation activation;
    double at_minus_1_5, at_0_75;
  };
  constexpr Known kKnown[] = {
      {"linear", Activation::linear, -1.5, 0.75},
      {"gelu", Activation::gelu, -0.10021080190328704, 0.5800294857173489},
      {"gelu_tanh", Activation::gelu_tanh, -0.10042842301976707, 0.5799605551656203},
      {"gelu_fast", Activation::gelu_fast, -0.1004284230206536, 0.5799605551650409},
      {"gelu_10", Activation::gelu_10, -0.10021080190328704, 0.5800294857173489},
      {"quick_gelu", Activation::quick_gelu, -0.10833780155292341, 0.5863900575346379},
      {"silu", Activation::silu, -0.2736382857095345, 0.5093840243815447},
      {"relu", Activation::relu, 0.0, 0.75},
      {"relu2", Activation::relu2, 0.0, 0.5625},
      {"relu6", Activation::relu6, 0.0, 0.75},
      {"leaky_relu", Activation::leaky_relu, -0.015, 0.75},
      {"selu", Activation::selu, -1.3658143533672527, 0.7880257405166103},
      {"mish", Activation::mish, -0.29809974216680674, 0.6100183352182934},
      {"laplace", Activation::laplace, 2.55351295663786e-15, 0.5604268865308244},
      {"sigmoid", Activation::sigmoid, 0.18242552380635635, 0.679178699175393},
      {"tanh", Activation::tanh, -0.9051482536448664, 0.6351489523872873},
  };
  std::vector<float> inputs = {-HUGE_VALF, HUGE_VALF, std::numeric_limits<float>::quiet_NaN(), -1e30f, 1e18f, -0.0f};
  for (int i = -1200; i <= 1200; ++i) inputs.push_back(static_cast<float>(i) * 0.0101f);
  const auto count = static_cast<int64_t>(inputs.size());
  for (const Known& known : kKnown) {
    const Matrix few(1, 17, [n = 0]() mutable { return n++ % 2 == 0 ? -1.5f : 0.75f; });
    Matrix y(1, 17);
    table.activation({few.data(), few.stride(), y.data(), y.stride(), 1, 17, known.activation});
    verdict.intact(known.name, y);
    for (int64_t c = 0; c < 17; ++c)
      verdict.near(known.name, 0, c, y.at(0, c), c % 2 == 0 ? known.at_minus_1_5 : known.at_0_75, 4e-7);

    const Matrix x(1, count, [at = inputs.begin()]() mutable { return *at++; });
    Matrix got(1, count), expected(1, count);
    table.activation({x.data(), x.stride(), got.data(), got.stride(), 1, count, known.activation});
    reference_table().activation(
        {x.data(), x.stride(), expected.data(), expected.stride(), 1, count, known.activation});
    verdict.intact(known.name, got);
    for (int64_t c = 0; c < count; ++c)
      verdict.near(known.name, 0, c, got.at(0, c), expected.value(0, c),
                   5e-7 * std::max(1.0, std::abs(expected.value(0, c))));
  }
}

}  // namespace tw::check
