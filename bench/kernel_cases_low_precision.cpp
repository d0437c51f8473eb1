#include <algorithm>
#include <cmath>
#include <memory>

#include "bench/kernel_case.h"
#include "core/dtype.h"
#include "kernels/ops.h"

namespace tw::bench {
namespace {

using Halves = std::vector<uint16_t>;

// Rows of `columns` values in bf16, `stride` apart, zeros between.
Halves rounded(const Values& values, int64_t columns, int64_t stride) {
  const int64_t rows = static_cast<int64_t>(values.size()) / columns;
  Halves out(static_cast<size_t>(rows * stride));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      out[static_cast<size_t>(r * stride + c)] = f32_to_bf16(values[static_cast<size_t>(r * columns + c)]);
  return out;
}

std::string shape_of(int64_t m, int64_t n, int64_t k) {
  return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
}

PackedMatrix packed(int64_t n, int64_t k, DType type) {
  PackedMatrix w(n, k, type, "benchmark");
  w.set_rows(0, n, random_weights(n, k).data());
  return w;
}

Case bf16_case(int64_t m, int64_t n, int64_t k) {
  struct Data {
    Halves x;
    Values y, bias;
    PackedMatrix w;
  };
  auto d = std::make_shared<Data>();
  const int64_t stride = activation_stride(k, DType::bf16), depth = bf16_depth(k);
  d->x = rounded(random_values(m * k), k, stride);
  d->y.resize(static_cast<size_t>(m * n));
  d->bias = random_values(n);
  d->w = packed(n, k, DType::bf16);
  Case c;
  c.op = "linear_bf16";
  c.shape = shape_of(m, n, k);
  c.type = "bf16";
  c.flops = 2.0 * static_cast<double>(m * n * k);
  c.bytes = static_cast<double>(2 * (m * k + n * k) + 4 * m * n);
  c.run = [=](const KernelTable& t) {
    for (int64_t n0 = 0; n0 < n; n0 += kPanel)
      t.linear_bf16({.x = d->x.data(),
                     .x_stride = stride,
                     .weights = static_cast<const uint16_t*>(d->w.strip_at(n0)),
                     .bias = d->bias.data() + n0,
                     .y = d->y.data() + n0,
                     .y_stride = n,
                     .rows = m,
                     .columns = std::min(kPanel, n - n0),
                     .k = depth,
                     .activation = Activation::linear,
                     .add_to_output = false});
  };
  c.result = [=]() -> const Values& { return d->y; };
  return c;
}

// Activations in eight bits, with a scale and a zero point a row, and the memory they were made from.
struct Quantized {
  int64_t rows, columns, depth, stride;
  Values from, scale;
  std::vector<int32_t> zero;
  std::vector<uint8_t> values;

  Quantized(int64_t m, int64_t k)
      : rows(m),
        columns(k),
        depth(int8_depth(k)),
        stride(quantized_stride(k)),
        from(random_values(m * k)),
        scale(static_cast<size_t>(m)),
        zero(static_cast<size_t>(m)),
        values(static_cast<size_t>(m * stride)) {}

  void quantize(const KernelTable& t) {
    t.quantize({.x = from.data(),
                .x_stride = columns,
                .multiplier = nullptr,
                .y = values.data(),
                .y_stride = stride,
                .x_scale = scale.data(),
                .x_zero = zero.data(),
                .rows = rows,
                .columns = columns,
                .y_columns = depth});
  }
};

Case int8_case(int64_t m, int64_t n, int64_t k, const KernelTable& quantizer) {
  struct Data {
    Quantized x;
    Values y, bias;
    PackedInt8 w;
  };
  auto d = std::make_shared<Data>(Data{Quantized(m, k), Values(static_cast<size_t>(m * n)), random_values(n),
                                       PackedInt8(packed(n, k, DType::f32), nullptr)});
  d->x.quantize(quantizer);
  Case c;
  c.op = "linear_int8";
  c.shape = shape_of(m, n, k);
  c.type = "int8";
  c.flops = 2.0 * static_cast<double>(m * n * k);
  c.bytes = static_cast<double>(m * k + n * k + 4 * m * n);
  c.run = [=](const KernelTable& t) {
    for (int64_t n0 = 0; n0 < n; n0 += kPanel) {
      const Int8View w = d->w.view(n0);
      t.linear_int8({.x = d->x.values.data(),
                     .x_stride = d->x.stride,
                     .x_scale = d->x.scale.data(),
                     .x_zero = d->x.zero.data(),
                     .weights = w.strips,
                     .w_scale = w.scale,
                     .w_sum = w.sum,
                     .bias = d->bias.data() + n0,
                     .y = d->y.data() + n0,
                     .y_stride = n,
                     .rows = m,
                     .columns = std::min(kPanel, n - n0),
                     .k = w.k_padded,
                     .activation = Activation::linear,
                     .add_to_output = false});
    }
  };
  c.result = [=]() -> const Values& { return d->y; };
  return c;
}

Case quantize_case(int64_t m, int64_t k) {
  auto x = std::make_shared<Quantized>(m, k);
  auto result = std::make_shared<Values>();
  Case c;
  c.op = "quantize";
  c.shape = std::to_string(m) + "x" + std::to_string(k);
  c.bytes = 5.0 * static_cast<double>(m * k);
  c.run = [=](const KernelTable& t) { x->quantize(t); };
  c.result = [=]() -> const Values& {
    result->assign(x->values.begin(), x->values.end());
    return *result;
  };
  c.tolerance = 1.5 / 255;  // a tie may go either way
  return c;
}

Case attention_case(int64_t tokens, int64_t width) {
  struct Data {
    Halves q, k, v, out;
    Values result;
    Buffer scratch;
  };
  auto d = std::make_shared<Data>();
  const Values values = random_values(3 * tokens * width);
  const auto third = [&](int64_t i) {
    return rounded(Values(values.begin() + i * tokens * width, values.begin() + (i + 1) * tokens * width), width,
                   width);
  };
  d->q = third(0), d->k = third(1), d->v = third(2);
  d->out.resize(static_cast<size_t>(tokens * width));
  d->scratch = Buffer(attention_scratch_floats(tokens, width, DType::bf16) * 4, "benchmark");
  Case c;
  c.op = "attention_bf16";
  c.shape = std::to_string(tokens) + "x" + std::to_string(width);
  c.type = "bf16";
  c.flops = 4.0 * static_cast<double>(tokens * tokens * width);
  c.tolerance = 0.02;  // weights and results are rounded to eight bits of precision
  c.run = [=](const KernelTable& t) {
    t.attention_bf16({.q = d->q.data(),
                      .k = d->k.data(),
                      .v = d->v.data(),
                      .q_stride = width,
                      .k_stride = width,
                      .v_stride = width,
                      .out = d->out.data(),
                      .out_stride = width,
                      .queries = tokens,
                      .keys = tokens,
                      .width = width,
                      .scale = 1.0f / std::sqrt(static_cast<float>(width)),
                      .scratch = d->scratch.as<float>()});
  };
  c.result = [=]() -> const Values& {
    d->result.resize(d->out.size());
    std::transform(d->out.begin(), d->out.end(), d->result.begin(), [](uint16_t h) { return bf16_to_f32(h); });
    return d->result;
  };
  return c;
}

}  // namespace

std::vector<Case> low_precision_cases() {
  std::vector<Case> cases;
  const int64_t shapes[][3] = {{197, 768, 768},   {197, 1536, 768},  {197, 3072, 768}, {197, 768, 3072},
                               {257, 4096, 1024}, {257, 1024, 4096}, {52, 3072, 768},  {52, 768, 3072},
                               {12, 3072, 768},   {12, 768, 3072},   {1, 3072, 768}};
  const KernelTable& quantizer = reference_table();
  for (const auto& s : shapes) cases.push_back(bf16_case(s[0], s[1], s[2]));
  for (const auto& s : shapes) cases.push_back(int8_case(s[0], s[1], s[2], quantizer));
  for (const auto& [tokens, width] :
       {std::pair{12, 64}, {52, 64}, {197, 64}, {257, 64}, {257, 80}, {577, 64}, {1025, 64}, {2305, 64}})
    cases.push_back(attention_case(tokens, width));
  for (const auto& [rows, columns] : {std::pair{197, 768}, {197, 3072}, {12, 768}})
    cases.push_back(quantize_case(rows, columns));
  return cases;
}

}  // namespace tw::bench
