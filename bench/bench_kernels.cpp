#include <Eigen/Dense>
#include <cmath>
#include <functional>
#include <random>
#include <stdexcept>

#include "bench/command.h"
#include "bench/kernel_case.h"
#include "bench/peak.h"
#include "kernels/ops.h"
#include "kernels/select.h"

namespace tw::bench {
Values random_values(int64_t count, double deviation) {
  std::mt19937 generator(7);
  std::normal_distribution<float> normal(0.0f, static_cast<float>(deviation));
  Values values(static_cast<size_t>(count));
  for (float& v : values) v = normal(generator);
  return values;
}

Values random_weights(int64_t n, int64_t k) { return random_values(n * k, 1 / std::sqrt(static_cast<double>(k))); }

namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Rows lie as a model's activations do.
Case linear_case(int64_t m, int64_t n, int64_t k, Activation activation, const char* op) {
  const int64_t stride = activation_stride(k, DType::f32);
  struct Data {
    Values x, y, bias;
    PackedMatrix w;
  };
  auto d = std::make_shared<Data>();
  d->x = random_values(m * stride);
  d->y.resize(static_cast<size_t>(m * n));
  d->bias = random_values(n);
  d->w = PackedMatrix(n, k, DType::f32, "benchmark");
  d->w.set_rows(0, n, random_weights(n, k).data());
  Case c;
  c.op = op;
  c.shape = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  c.flops = 2.0 * static_cast<double>(m * n * k);
  c.bytes = 4.0 * static_cast<double>(m * k + n * k + m * n);
  c.run = [=](const KernelTable& t) {
    for (int64_t n0 = 0; n0 < n; n0 += kPanel)
      t.linear({.x = d->x.data(),
                .x_stride = stride,
                .weights = d->w.f32_strip_at(n0),
                .bias = d->bias.data() + n0,
                .y = d->y.data() + n0,
                .y_stride = n,
                .rows = m,
                .columns = std::min(kPanel, n - n0),
                .k = k,
                .activation = activation,
                .add_to_output = false,
                .next = n0 + kPanel < n ? d->w.f32_strip_at(n0 + kPanel) : nullptr});
  };
  c.result = [=]() -> const Values& { return d->y; };
  return c;
}

// `full`: with a mask and the weights written out.
Case attention_case(int64_t tokens, int64_t width, bool full) {
  struct Data {
    Values q, k, v, out, mask, weights;
    Buffer scratch;
  };
  auto d = std::make_shared<Data>();
  d->q = random_values(tokens * width);
  d->k = random_values(tokens * width + 1);
  d->v = random_values(tokens * width);
  d->out.resize(static_cast<size_t>(tokens * width));
  d->mask = random_values(tokens);
  d->weights.resize(static_cast<size_t>(tokens * tokens));
  d->scratch = Buffer(attention_scratch_floats(tokens, width, DType::f32) * 4, "benchmark");
  Case c;
  c.op = full ? "attention_full" : "attention";
  c.shape = std::to_string(tokens) + "x" + std::to_string(width);
  c.flops = 4.0 * static_cast<double>(tokens * tokens * width);
  c.run = [=](const KernelTable& t) {
    const AttentionArgs plain{.q = d->q.data(),
                              .k = d->k.data() + 1,
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
                              .scratch = d->scratch.as<float>()};
    if (!full) return t.attention(plain);
    t.attention_full({.base = plain, .bias = d->mask.data(), .weights = d->weights.data(), .weights_stride = tokens});
  };
  c.result = [=]() -> const Values& { return d->out; };
  return c;
}

Case rows_case(const char* op, int64_t rows, int64_t columns, void (*KernelTable::*entry)(const RowsArgs&),
               Activation activation = Activation::linear) {
  auto x = std::make_shared<Values>(random_values(rows * columns));
  auto y = std::make_shared<Values>(static_cast<size_t>(rows * columns));
  Case c;
  c.op = op;
  c.shape = std::to_string(rows) + "x" + std::to_string(columns);
  c.bytes = 8.0 * static_cast<double>(rows * columns);
  c.run = [=](const KernelTable& t) {
    (t.*entry)({.x = x->data(),
                .x_stride = columns,
                .y = y->data(),
                .y_stride = columns,
                .rows = rows,
                .columns = columns,
                .activation = activation});
  };
  c.result = [=]() -> const Values& { return *y; };
  return c;
}

Case layer_norm_case(int64_t rows, int64_t columns) {
  auto x = std::make_shared<Values>(random_values(rows * columns));
  auto y = std::make_shared<Values>(static_cast<size_t>(rows * columns));
  auto gain = std::make_shared<Values>(random_values(2 * columns));
  Case c;
  c.op = "layer_norm";
  c.shape = std::to_string(rows) + "x" + std::to_string(columns);
  c.bytes = 8.0 * static_cast<double>(rows * columns);
  c.run = [=](const KernelTable& t) {
    t.layer_norm({.x = x->data(),
                  .x_stride = columns,
                  .gamma = gain->data(),
                  .beta = gain->data() + columns,
                  .y = y->data(),
                  .y_stride = columns,
                  .rows = rows,
                  .columns = columns,
                  .epsilon = 1e-5f});
  };
  c.result = [=]() -> const Values& { return *y; };
  return c;
}

// The shapes of the published models: ViT-B/16, L/14, H/14 and the text towers.
std::vector<Case> all_cases() {
  std::vector<Case> cases;
  const int64_t shapes[][3] = {{197, 768, 768},   {197, 1536, 768},  {197, 3072, 768},  {197, 768, 3072},
                               {257, 1024, 1024}, {257, 4096, 1024}, {257, 1024, 4096}, {257, 5120, 1280},
                               {257, 1280, 5120}, {196, 768, 768},   {256, 1024, 588},  {52, 3072, 768},
                               {52, 768, 3072},   {12, 3072, 768},   {12, 768, 3072},   {1, 3072, 768}};
  for (const auto& s : shapes) cases.push_back(linear_case(s[0], s[1], s[2], Activation::linear, "linear"));
  cases.push_back(linear_case(197, 3072, 768, Activation::quick_gelu, "linear+quick_gelu"));
  cases.push_back(linear_case(52, 3072, 768, Activation::gelu, "linear+gelu"));
  for (const auto& [tokens, width] :
       {std::pair{12, 64}, {52, 64}, {197, 64}, {257, 64}, {257, 80}, {577, 64}, {1025, 64}, {2305, 64}})
    cases.push_back(attention_case(tokens, width, false));
  for (const auto& [tokens, width] : {std::pair{52, 64}, {197, 64}})
    cases.push_back(attention_case(tokens, width, true));
  cases.push_back(layer_norm_case(197, 768));
  cases.push_back(layer_norm_case(257, 1280));
  cases.push_back(rows_case("softmax", 197, 197, &KernelTable::softmax));
  cases.push_back(rows_case("l2_normalize", 64, 512, &KernelTable::l2_normalize));
  cases.push_back(rows_case("gelu", 197, 3072, &KernelTable::activation, Activation::gelu));
  cases.push_back(rows_case("quick_gelu", 197, 3072, &KernelTable::activation, Activation::quick_gelu));
  cases.push_back(rows_case("tanh", 197, 3072, &KernelTable::activation, Activation::tanh));
  for (Case& c : strassen_cases()) cases.push_back(std::move(c));
  for (Case& c : low_precision_cases()) cases.push_back(std::move(c));
  return cases;
}

// The largest difference from the reference table, relative to the reference's largest value.
double difference(const Case& c, const KernelTable& table) {
  c.run(reference_table());
  const Values expected = c.result();
  c.run(table);
  const Values& found = c.result();
  double worst = 0, scale = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, static_cast<double>(std::fabs(found[i] - expected[i])));
    scale = std::max(scale, static_cast<double>(std::fabs(expected[i])));
  }
  return worst / scale;
}

Record eigen_baseline(const Repetition& repetition, double peak) {
  const RowMajor x = RowMajor::Random(197, 768), w = RowMajor::Random(3072, 768);
  RowMajor y(197, 3072);
  const Statistics s = measure(repetition, [&] { y.noalias() = x * w.transpose(); });
  const double gflops = 2.0 * 197 * 3072 * 768 / s.median / 1e6;
  Record record = {{"bench", "kernels"}, {"op", "linear"}, {"shape", "197x3072x768"}, {"isa", "eigen (as compiled)"}};
  add_times(record, s);
  record["gflops"] = gflops;
  record["peak_share"] = gflops * 1e9 / peak;
  return record;
}

void run(const Common& common, const std::string& filter, const std::vector<std::string>& isas) {
  Report report = common.report();
  double f32_peak = 0;
  const std::vector<Case> cases = all_cases();
  for (const KernelTable* table : available_tables(query_cpu())) {
    const std::string isa = table->name;
    if (isas.empty() ? isa == "reference" : std::find(isas.begin(), isas.end(), isa) == isas.end()) continue;
    for (const Case& c : cases) {
      if (c.op.find(filter) == std::string::npos) continue;
      progress(isa + " " + c.op + " " + c.shape);
      const double off = difference(c, *table);
      if (!(off < c.tolerance))
        throw std::runtime_error(isa + " " + c.op + " " + c.shape + ": wrong by " + std::to_string(off));
      // Before and after, the higher counts: shared machines change their clock.
      const double before = peak_of(table->name, c.type, 1);
      const Statistics s = measure(common.repetition, [&] { c.run(*table); });
      const double peak = std::max(before, peak_of(table->name, c.type, 1));
      if (c.type == "f32") f32_peak = peak;
      Record record = {{"bench", "kernels"},  {"op", c.op}, {"shape", c.shape},
                       {"precision", c.type}, {"isa", isa}, {"threads", 1}};
      add_times(record, s);
      if (c.flops > 0) {
        record["gflops"] = c.flops / s.median / 1e6;
        if (peak > 0) record["peak_share"] = c.flops / (s.median / 1e3) / peak;
      }
      if (c.bytes > 0) record["gbytes_per_s"] = c.bytes / s.median / 1e6;
      record["difference"] = off;
      report.add(record);
    }
  }
  if (filter.empty() && f32_peak > 0) report.add(eigen_baseline(common.repetition, f32_peak));
  progress("");
}

}  // namespace

void add_kernels(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("kernels", "every operation at the shapes of the published models, one thread");
  auto common = std::make_shared<Common>();
  auto filter = std::make_shared<std::string>();
  auto isas = std::make_shared<std::vector<std::string>>();
  common->repetition = {.warmup = 3, .least = 10, .most = 100000, .seconds = 0.1};
  add_common_options(*command, *common);
  command->add_option("--op", *filter, "only operations whose name contains this");
  command->add_option("--isa", *isas, "reference, avx2, avx512; default: all that this CPU runs but reference")
      ->delimiter(',');
  command->callback([=] { run(*common, *filter, *isas); });
}

}  // namespace tw::bench
