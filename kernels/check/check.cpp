#include "kernels/check/check.h"

#include "kernels/check/evidence.h"

namespace tw {
namespace {

struct Entry {
  const char* name;
  void (*check)(const KernelTable& table, check::Generator& random, check::Verdict& verdict);
};

constexpr Entry kEntries[] = {
    {"linear", check::linear},
    {"strassen_sums", check::strassen_sums},
    {"linear_strassen", check::linear_strassen},
    {"linear_bf16", check::linear_bf16},
    {"linear_int8", check::linear_int8},
    {"quantize", check::quantize},
    {"round_e4m3", check::round_e4m3},
    {"attention", check::attention},
    {"attention_full", check::attention_full},
    {"attention_bf16", check::attention_bf16},
    {"absorb_keys", check::absorb_keys},
    {"softmax_columns", check::softmax_columns},
    {"weigh_rows", check::weigh_rows},
    {"layer_norm", check::layer_norm},
    {"softmax", check::softmax},
    {"l2_normalize", check::l2_normalize},
    {"activation", check::activation},
    {"embed", check::embed},
    {"add_periodic", check::add_periodic},
    {"patches_u8", check::patches_u8},
    {"patches_f32", check::patches_f32},
    {"similarity", check::similarity},
    {"f16_to_f32", check::f16_to_f32},
    {"bf16_to_f32", check::bf16_to_f32},
    {"f32_to_bf16", check::f32_to_bf16},
};
// A new entry needs a check: the table is a name and one pointer an entry.
static_assert(sizeof(KernelTable) == (1 + sizeof(kEntries) / sizeof(Entry)) * sizeof(void (*)()));

}  // namespace

std::vector<CheckResult> check_table(const KernelTable& table, uint64_t seed) {
  std::vector<CheckResult> results;
  for (const Entry& entry : kEntries) {
    check::Generator random(seed);
    check::Verdict verdict;
    entry.check(table, random, verdict);
    results.push_back(verdict.result(entry.name));
  }
  return results;
}

}  // namespace tw
