// Which table runs, and that tables of different instruction sets are different code.
#include <cstring>
#include <set>

#include "core/error.h"
#include "kernels/select.h"
#include "tests/kernels/harness.h"
#include "tests/support/expect_error.h"

namespace tw::test {
namespace {

// The table as what it is: a name and function pointers. A new entry is seen without a change here.
constexpr size_t kEntries = sizeof(KernelTable) / sizeof(void*) - 1;
std::vector<void*> entries(const KernelTable& table) {
  std::vector<void*> pointers(kEntries);
  std::memcpy(pointers.data(), reinterpret_cast<const char*>(&table) + sizeof(void*), kEntries * sizeof(void*));
  return pointers;
}

CpuInfo cpu_with(bool avx2, bool avx512) {
  CpuInfo cpu;
  cpu.avx2 = avx2;
  cpu.avx512 = avx512;
  return cpu;
}

}  // namespace

TEST_CASE("select: what the CPU has decides") {
  CHECK(available_tables(cpu_with(false, false)) == std::vector<const KernelTable*>{&reference_table()});
  CHECK(&select_table(cpu_with(false, false)) == &reference_table());
  CHECK(&select_table(cpu_with(true, false)) == &avx2_table());
  CHECK(&select_table(cpu_with(true, true)) == &avx512_table());
  CHECK(&select_table(cpu_with(true, true), "avx2") == &avx2_table());
  CHECK(&select_table(cpu_with(true, true), "reference") == &reference_table());
  CpuInfo with_bf16 = cpu_with(true, true);
  with_bf16.avx512_vnni = with_bf16.avx512_bf16 = true;
  CHECK(&select_table(with_bf16) == &avx512bf16_table());
  with_bf16.slow_bf16 = true;
  CHECK(&select_table(with_bf16) == &avx512vnni_table());
  CHECK(&select_table(with_bf16, "avx512bf16") == &avx512bf16_table());
  CHECK(&select_table(query_cpu()) == available_tables(query_cpu()).back());
  for (const KernelTable* table : available_tables(query_cpu()))
    CHECK(&select_table(query_cpu(), table->name) == table);
}

TEST_CASE("select: what this CPU cannot run, or nobody can, is an error that names the choices") {
  for (const char* isa : {"AVX2", "avx", "sse2", "avx512 ", "avx5120", "neon", "\x1b[31m"}) {
    expect_error(
        ErrorCode::unsupported, [&] { select_table(query_cpu(), isa); }, "TUWEN_ISA", printable(isa));
  }
  expect_error(
      ErrorCode::unsupported, [] { select_table(cpu_with(true, false), "avx512"); }, "reference, avx2", "avx512");
  expect_error(
      ErrorCode::unsupported, [] { select_table(cpu_with(false, false), "avx2"); }, "reference", "avx2");
}

TEST_CASE("select: every table fills every entry, with code of its own") {
  // Tables of one vector width share no entry with those of another. Those of one width differ in some instructions
  // ("avx512vnni" and "avx512") and share what they do not concern.
  const std::vector<const KernelTable*> tables = available_tables(query_cpu());
  for (const KernelTable* a : tables) {
    for (size_t entry = 0; entry < kEntries; ++entry) CHECK(entries(*a)[entry] != nullptr);
    for (const KernelTable* b : tables) {
      if (a == b) break;
      CAPTURE(a->name, b->name);
      CHECK(std::string(a->name) != b->name);
      const std::vector<void*> of_a = entries(*a), of_b = entries(*b);
      size_t shared = 0;
      for (size_t entry = 0; entry < kEntries; ++entry) shared += of_a[entry] == of_b[entry];
      const auto both = [&](const char* family) {
        return std::string_view(a->name).starts_with(family) && std::string_view(b->name).starts_with(family);
      };
      const bool same_width = both("avx512") || both("avx2");
      CHECK((same_width ? shared < kEntries : shared == 0));
    }
  }
}

TEST_CASE("select: vectors of different width add in a different order") {
  // Pointers may differ and the code still be the same (the linker or a missing flag can see to that). Rounding tells:
  // the sum of a long dot product depends on how many lanes took part.
  Random random(1);
  const int64_t pairs = 64, k = 501;
  const std::vector<float> x = random.normal_vector(k), z = random.normal_vector(pairs * k);
  std::set<std::vector<float>> results;
  const std::vector<const KernelTable*> tables = tables_under_test();
  size_t widths = 0;
  for (const KernelTable* table : tables) {
    const std::string name = table->name;
    if (name != "reference" && name != "twin" && name != "avx2" && name != "avx512") continue;
    ++widths;
    std::vector<float> y(static_cast<size_t>(pairs));
    table->similarity({x.data(), k, z.data(), k, y.data(), pairs, 1, pairs, k, 1.0f});
    results.insert(y);
  }
  CHECK(results.size() == widths);
}

TEST_CASE("select: a table's resize is of its own instruction set") {
  const ResizeFunctions plain = resize_functions(reference_table());
  for (const KernelTable* table : available_tables(query_cpu())) {
    CAPTURE(table->name);
    const ResizeFunctions functions = resize_functions(*table);
    CHECK(functions.horizontal != nullptr);
    CHECK((functions.horizontal == plain.horizontal) == (table == &reference_table()));
    CHECK((functions.vertical == plain.vertical) == (table == &reference_table()));
  }
}

}  // namespace tw::test
