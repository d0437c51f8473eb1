#include "kernels/select.h"

#include <string>

#include "core/error.h"

namespace tw {

std::vector<const KernelTable*> available_tables(const CpuInfo& cpu) {
  std::vector<const KernelTable*> tables = {&reference_table()};
  if (cpu.avx2) tables.push_back(&avx2_table());
  if (cpu.avx512) tables.push_back(&avx512_table());
  return tables;
}

const KernelTable& select_table(const CpuInfo& cpu, std::string_view isa) {
  const std::vector<const KernelTable*> tables = available_tables(cpu);
  if (isa.empty()) return *tables.back();
  std::string names;
  for (const KernelTable* table : tables) {
    if (isa == table->name) return *table;
    names += (names.empty() ? "" : ", ") + std::string(table->name);
  }
  throw Error(
      ErrorCode::unsupported,
      {.field = "TUWEN_ISA", .expected = "one of " + names + " (what this CPU can run)", .found = printable(isa)});
}

}  // namespace tw
