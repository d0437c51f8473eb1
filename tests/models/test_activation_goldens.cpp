// Every activation that a config.json may name: the tests' oracle and every kernel table against the values that the
// reference computes in double.
#include <catch2/catch.hpp>

#include "kernels/activation.h"
#include "kernels/select.h"
#include "tests/support/error_bound.h"
#include "tests/support/goldens.h"
#include "tests/support/oracle.h"

using namespace tw;
using namespace tw::test;

TEST_CASE("activations are the reference's") {
  const Goldens goldens(TUWEN_TEST_DATA "/models/activations.safetensors");
  const std::vector<double> x = goldens.f64("x").values;
  const std::vector<float> narrow(x.begin(), x.end());  // exact: the grid is made of f32 values
  int names = 0;
  for (const std::string& name : goldens.names()) {
    if (name == "x") continue;
    ++names;
    INFO(name);
    const std::vector<double> expected = goldens.f64(name).values;
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      worst = std::max(worst, std::abs(activation(name, x[i]) - expected[i]) / (1 + std::abs(expected[i])));
    }
    CHECK(worst < 1e-14);

    const std::optional<Activation> found = activation_from_name(name);
    REQUIRE(found.has_value());
    for (const KernelTable* table : available_tables(query_cpu())) {
      INFO(table->name);
      std::vector<float> y(x.size());
      const auto columns = static_cast<int64_t>(x.size());
      table->activation({.x = narrow.data(),
                         .x_stride = columns,
                         .y = y.data(),
                         .y_stride = columns,
                         .rows = 1,
                         .columns = columns,
                         .activation = *found});
      const BoundReport report = check_relative(y, expected, 4e-7, 4e-7);
      INFO(report.describe());
      CHECK(report.ok());
    }
  }
  CHECK(names == 20);
}
