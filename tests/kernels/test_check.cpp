// check_table passes on every table, quickly, and notices a broken entry whichever it is.
#include "kernels/check/check.h"

#include <chrono>

#include "tests/kernels/harness.h"

namespace tw::test {
namespace {

// Where a call's last element of output is; null if it has none.
struct Place {
  float* f32 = nullptr;
  uint16_t* bf16 = nullptr;

  void shift() const {
    if (f32 != nullptr) *f32 += 2e-4f * (1 + std::abs(*f32));
    if (bf16 != nullptr) *bf16 ^= 8;
  }
  void write_behind() const {
    if (f32 != nullptr) f32[1] = 1;
    if (bf16 != nullptr) bf16[1] = 1;
  }
};
Place last_element(void* y, bool bf16, int64_t stride, int64_t rows, int64_t columns) {
  if (rows == 0 || columns == 0) return {};
  const int64_t last = (rows - 1) * stride + columns - 1;
  if (bf16) return {nullptr, static_cast<uint16_t*>(y) + last};
  return {static_cast<float*>(y) + last, nullptr};
}
template <class Args>
Place last_output(const Args& a) {
  bool bf16 = false;
  if constexpr (requires { a.y_is_bf16; }) bf16 = a.y_is_bf16;
  return last_element(a.y, bf16, a.y_stride, a.rows, a.columns);
}
Place last_output(const AttentionArgs& a) { return last_element(a.out, false, a.out_stride, a.queries, a.width); }
Place last_output(const AttentionFullArgs& a) { return last_output(a.base); }
Place last_output(const AttentionBf16Args& a) { return last_element(a.out, true, a.out_stride, a.queries, a.width); }
Place last_output(const PatchesArgs& a) {
  return last_element(a.y, a.y_is_bf16, a.y_stride, a.rows, a.channels * a.patch * a.patch);
}
Place last_output(const AbsorbKeysArgs& a) {
  return last_element(a.u + (a.heads - 1) / kStrip * kStrip * a.k, false, kStrip, a.first + a.count,
                      (a.heads - 1) % kStrip + 1);
}
Place last_output(const SoftmaxColumnsArgs& a) { return last_element(a.x, false, a.x_stride, a.rows, a.columns); }
Place last_output(const WeighRowsArgs& a) { return last_element(a.y, false, a.y_stride, a.heads, a.columns); }
Place last_output(const StrassenRows& a) {
  return last_element(a.sums + (kStrassenSums - 1) * a.sums_apart, false, a.sums_stride, a.pairs, a.depth);
}
Place last_output(const LinearStrassenArgs& a) {
  const bool one = a.rows.lower_rows == 0;
  return last_element((one ? a.y_upper : a.y_lower) + a.right, false, a.y_stride, one ? 1 : a.rows.lower_rows,
                      a.columns);
}
Place last_output(const RoundE4m3Args& a) { return last_element(a.y, true, a.y_stride, a.rows, a.y_columns); }
Place last_output(const QuantizeArgs& a) { return last_element(a.x_scale, false, 1, a.rows, 1); }

// Ways to break an entry that otherwise does what the reference does.
template <auto Entry, class Args>
struct Broken {
  static void does_nothing(const Args&) {}
  // The last element is slightly off: two parts in ten thousand, far more than any contract permits.
  static void last_is_off(const Args& args) {
    (reference_table().*Entry)(args);
    if constexpr (std::is_same_v<Args, ConvertArgs>) {
      if (args.count == 0) return;
      if (Entry == &KernelTable::f32_to_bf16)
        static_cast<uint16_t*>(args.to)[args.count - 1] ^= 1;
      else
        static_cast<float*>(args.to)[args.count - 1] *= 1.0002f;
    } else {
      last_output(args).shift();
    }
  }
  static void writes_behind(const Args& args) {
    (reference_table().*Entry)(args);
    if constexpr (std::is_same_v<Args, ConvertArgs>) {
      if (Entry == &KernelTable::f32_to_bf16)
        static_cast<uint16_t*>(args.to)[args.count] = 1;
      else
        static_cast<float*>(args.to)[args.count] = 1;
    } else {
      last_output(args).write_behind();
    }
  }
};

template <auto Entry, class Args>
void check_noticed(const char* name, void (*broken)(const Args&)) {
  KernelTable table = reference_table();
  table.*Entry = broken;
  for (const CheckResult& result : check_table(table, 1)) {
    CAPTURE(name, result.name, result.detail);
    CHECK(result.passed == (result.name != name));
    CHECK(result.passed == result.detail.empty());
  }
}

template <auto Entry, class Args>
void check_all_noticed(const char* name, void (*KernelTable::*)(const Args&)) {
  using B = Broken<Entry, Args>;
  check_noticed<Entry>(name, &B::does_nothing);
  check_noticed<Entry>(name, &B::last_is_off);
  check_noticed<Entry>(name, &B::writes_behind);
}
#define CHECK_ALL_NOTICED(entry) check_all_noticed<&KernelTable::entry>(#entry, &KernelTable::entry)

// Mistakes of the kind that kernels make.
void linear_forgets_bias(const LinearArgs& args) {
  LinearArgs a = args;
  a.bias = nullptr;
  reference_table().linear(a);
}
void linear_forgets_last_k(const LinearArgs& args) {
  for (int64_t m = 0; m < args.rows; ++m) {  // the strips stay args.k apart
    for (int64_t n = 0; n < args.columns; n += kStrip) {
      LinearArgs a = args;
      a.x += m * a.x_stride;
      a.y += m * a.y_stride + n;
      a.weights += n * a.k;
      if (a.bias != nullptr) a.bias += n;
      a.rows = 1;
      a.columns = std::min(kStrip, args.columns - n);
      a.k -= 1;
      reference_table().linear(a);
    }
  }
}
void strassen_forgets_the_missing_row(const LinearStrassenArgs& args) {
  LinearStrassenArgs a = args;
  a.rows.pairs = a.rows.lower_rows;
  if (a.rows.pairs > 0) reference_table().linear_strassen(a);
}
void attention_forgets_last_key(const AttentionArgs& args) {
  AttentionArgs a = args;
  if (a.keys > 1) --a.keys;
  reference_table().attention(a);
}
void attention_forgets_scale(const AttentionArgs& args) {
  AttentionArgs a = args;
  a.scale = 1;
  reference_table().attention(a);
}
void softmax_columns_forgets_scale(const SoftmaxColumnsArgs& args) {
  SoftmaxColumnsArgs a = args;
  a.scale = 1;
  reference_table().softmax_columns(a);
}
void weigh_rows_forgets_last_row(const WeighRowsArgs& args) {
  WeighRowsArgs a = args;
  if (a.rows > 1) --a.rows;
  reference_table().weigh_rows(a);
}
void absorb_keys_of_one_head_less(const AbsorbKeysArgs& args) {
  AbsorbKeysArgs a = args;
  --a.heads;
  reference_table().absorb_keys(a);
}
void layer_norm_by_squares(const LayerNormArgs& a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float* x = a.x + r * a.x_stride;
    float sum = 0, squares = 0;
    for (int64_t c = 0; c < a.columns; ++c) sum += x[c], squares += x[c] * x[c];
    const auto n = static_cast<float>(a.columns);
    const float mean = sum / n, variance = std::max(0.0f, squares / n - mean * mean);
    for (int64_t c = 0; c < a.columns; ++c)
      a.y[r * a.y_stride + c] = (x[c] - mean) / std::sqrt(variance + a.epsilon) * a.gamma[c] + a.beta[c];
  }
}
void layer_norm_with_another_epsilon(const LayerNormArgs& args) {
  LayerNormArgs a = args;
  a.epsilon = 1e-6f;
  reference_table().layer_norm(a);
}
template <Activation Wrong, Activation Instead>
void wrong_activation(const RowsArgs& args) {
  RowsArgs a = args;
  if (a.activation == Wrong) a.activation = Instead;
  reference_table().activation(a);
}
void patches_in_another_order(const PatchesArgs& args) {
  PatchesArgs a = args;
  std::swap(a.width, a.height);
  reference_table().patches_f32(a);
}
void truncates(const ConvertArgs& a) {
  for (int64_t i = 0; i < a.count; ++i)
    static_cast<uint16_t*>(a.to)[i] =
        static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<const float*>(a.from)[i]) >> 16);
}
void flushes_subnormals(const ConvertArgs& a) {
  reference_table().f16_to_f32(a);
  auto* to = static_cast<float*>(a.to);
  for (int64_t i = 0; i < a.count; ++i)
    if (std::abs(to[i]) < 0x1p-14f) to[i] = 0;
}

}  // namespace

TEST_CASE("check: every table passes, whatever the seed") {
  for_each_table([](const KernelTable& table) {
    for (const uint64_t seed : {1u, 2u, 3u, 77u}) {
      for (const CheckResult& result : check_table(table, seed)) {
        CAPTURE(result.name, result.detail, seed);
        CHECK(result.passed);
        CHECK(result.worst <= 1);
        CHECK(result.detail.empty());
        record_error("check, " + result.name, table, result.worst);
      }
    }
  });
}

TEST_CASE("check: takes a moment") {
  for_each_table([](const KernelTable& table) {
    const auto start = std::chrono::steady_clock::now();
    check_table(table, 5);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(3));
  });
}

TEST_CASE("check: every broken entry is noticed, and no other is blamed") {
  CHECK_ALL_NOTICED(linear);
  CHECK_ALL_NOTICED(strassen_sums);
  CHECK_ALL_NOTICED(linear_strassen);
  CHECK_ALL_NOTICED(linear_bf16);
  CHECK_ALL_NOTICED(linear_int8);
  CHECK_ALL_NOTICED(quantize);
  CHECK_ALL_NOTICED(round_e4m3);
  CHECK_ALL_NOTICED(attention);
  CHECK_ALL_NOTICED(attention_full);
  CHECK_ALL_NOTICED(attention_bf16);
  CHECK_ALL_NOTICED(absorb_keys);
  CHECK_ALL_NOTICED(softmax_columns);
  CHECK_ALL_NOTICED(weigh_rows);
  CHECK_ALL_NOTICED(layer_norm);
  CHECK_ALL_NOTICED(softmax);
  CHECK_ALL_NOTICED(l2_normalize);
  CHECK_ALL_NOTICED(activation);
  CHECK_ALL_NOTICED(embed);
  CHECK_ALL_NOTICED(add_periodic);
  CHECK_ALL_NOTICED(patches_u8);
  CHECK_ALL_NOTICED(patches_f32);
  CHECK_ALL_NOTICED(similarity);
  CHECK_ALL_NOTICED(f16_to_f32);
  CHECK_ALL_NOTICED(bf16_to_f32);
  CHECK_ALL_NOTICED(f32_to_bf16);
  CHECK(check_table(reference_table(), 1).size() == 25);
}

TEST_CASE("check: mistakes of the kind that kernels make are noticed") {
  check_noticed<&KernelTable::linear>("linear", linear_forgets_bias);
  check_noticed<&KernelTable::linear>("linear", linear_forgets_last_k);
  check_noticed<&KernelTable::linear_strassen>("linear_strassen", strassen_forgets_the_missing_row);
  check_noticed<&KernelTable::attention>("attention", attention_forgets_last_key);
  check_noticed<&KernelTable::attention>("attention", attention_forgets_scale);
  check_noticed<&KernelTable::absorb_keys>("absorb_keys", absorb_keys_of_one_head_less);
  check_noticed<&KernelTable::softmax_columns>("softmax_columns", softmax_columns_forgets_scale);
  check_noticed<&KernelTable::weigh_rows>("weigh_rows", weigh_rows_forgets_last_row);
  check_noticed<&KernelTable::layer_norm>("layer_norm", layer_norm_by_squares);
  check_noticed<&KernelTable::layer_norm>("layer_norm", layer_norm_with_another_epsilon);
  check_noticed<&KernelTable::activation>("activation", wrong_activation<Activation::gelu, Activation::gelu_tanh>);
  check_noticed<&KernelTable::activation>("activation", wrong_activation<Activation::quick_gelu, Activation::silu>);
  check_noticed<&KernelTable::activation>("activation", wrong_activation<Activation::relu6, Activation::relu>);
  check_noticed<&KernelTable::activation>("activation", wrong_activation<Activation::gelu_10, Activation::gelu>);
  check_noticed<&KernelTable::patches_f32>("patches_f32", patches_in_another_order);
  check_noticed<&KernelTable::f32_to_bf16>("f32_to_bf16", truncates);
  check_noticed<&KernelTable::f16_to_f32>("f16_to_f32", flushes_subnormals);
}

}  // namespace tw::test
