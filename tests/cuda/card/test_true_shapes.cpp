// The sizes of real models, which are too many for the host shim.
#include <algorithm>

#include "kernels/select.h"
#include "tests/cuda/attention_cases.h"
#include "tests/cuda/under_test.h"
#include "tests/support/packed.h"

namespace tw::test {
namespace {

struct Product {
  int64_t rows, columns, k;
};
// fc1 and fc2 of ViT-B/16 for two pictures and of ViT-H/14 for one, a projection, and the rows of 256 pictures.
constexpr Product kProducts[] = {{394, 3072, 768}, {394, 768, 3072}, {257, 5120, 1280}, {1, 512, 768}, {50432, 96, 64}};

// y += x w + bias by the CPU's table has the bits of what is under test.
template <class Args, class Element>
void check_product(const Product& s, const std::vector<Element>& x, const PackedMatrix& w,
                   const std::vector<float>& bias, const std::vector<float>& y,
                   void (*KernelTable::*kernel)(const Args&)) {
  std::vector<float> here = y, there = y;
  Args p{.x = x.data(),
         .x_stride = s.k,
         .weights = static_cast<const Element*>(w.strip_at(0)),
         .bias = bias.data(),
         .y = here.data(),
         .y_stride = s.columns,
         .rows = s.rows,
         .columns = s.columns,
         .k = s.k,
         .activation = Activation::linear,
         .add_to_output = true};
  (select_table(query_cpu()).*kernel)(p);
  p.y = there.data();
  (kernels_under_test().*kernel)(p);
  CAPTURE(s.rows, s.columns, s.k);
  CHECK(here == there);
}

}  // namespace

TEST_CASE("card linear: the bits of the CPU's table") {
  Random random(11);
  for (const Product& s : kProducts) {
    const std::vector<float> x = random.normal_vector(s.rows * s.k), bias = random.normal_vector(s.columns);
    const PackedMatrix w = packed_weights(random.normal_vector(s.columns * s.k), s.columns, s.k, DType::f32);
    check_product(s, x, w, bias, random.normal_vector(s.rows * s.columns), &KernelTable::linear);
  }
}

TEST_CASE("card linear_bf16: integers come out as on the CPU") {
  Random random(12);
  for (const Product& s : kProducts) {
    const std::vector<float> x = random.integer_vector(s.rows * s.k), bias = random.integer_vector(s.columns);
    std::vector<uint16_t> rounded(x.size());
    std::transform(x.begin(), x.end(), rounded.begin(), [](float v) { return f32_to_bf16(v); });
    const PackedMatrix w = packed_weights(random.integer_vector(s.columns * s.k), s.columns, s.k, DType::bf16);
    check_product(s, rounded, w, bias, random.integer_vector(s.rows * s.columns), &KernelTable::linear_bf16);
  }
}

TEST_CASE("card attention: every image and text size of the family, in f32, bf16 and f16") {
  for (const Batch& b :
       {Batch{{197, 197}, 12, 64}, {{257}, 16, 64}, {{577}, 4, 64}, {{257}, 16, 80}, {{52, 12, 8}, 12, 64}}) {
    check_batch<DType::f32>(b, 2 * b.heads * b.width, 2e-5, 13);
    check_batch<DType::bf16>(b, 2 * b.heads * b.width, 0x1p-7, 14);
    check_batch<DType::f16>(b, 2 * b.heads * b.width, 0x1p-10, 14);
  }
}

TEST_CASE("card layer_norm: rows of every width, the table of the CPU within its contract") {
  Random random(15);
  for (const int64_t columns : {768, 1024, 1280}) {
    const int64_t rows = 1031;
    const std::vector<float> x = random.heavy_tailed_vector(rows * columns), gamma = random.normal_vector(columns),
                             beta = random.normal_vector(columns);
    std::vector<float> here(x.size(), NAN), there(x.size(), NAN);
    LayerNormArgs p{x.data(), columns, gamma.data(), beta.data(), here.data(), columns, rows, columns, 1e-12f};
    reference_table().layer_norm(p);
    p.y = there.data();
    kernels_under_test().layer_norm(p);
    double worst = 0;
    for (size_t i = 0; i < here.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(here[i]) - static_cast<double>(there[i])) /
                                  (1 + std::abs(static_cast<double>(here[i]))));
    CAPTURE(columns);
    CHECK(worst < 1e-5);
  }
}

}  // namespace tw::test
