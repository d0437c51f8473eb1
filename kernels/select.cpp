#include "kernels/select.h"

#include <string>

#include "core/error.h"

namespace tw {

std::vector<const KernelTable*> available_tables(const CpuInfo& cpu) {
  std::vector<const KernelTable*> tables = {&reference_table()};
  if (cpu.avx2) tables.push_back(&avx2_table());
  if (cpu.avx_vnni) tables.push_back(&avx2vnni_table());
  if (cpu.avx512) tables.push_back(&avx512_table());
  const bool bf16 = cpu.avx512_vnni && cpu.avx512_bf16;
  if (bf16 && cpu.slow_bf16) tables.push_back(&avx512bf16_table());
  if (cpu.avx512_vnni) tables.push_back(&avx512vnni_table());
  if (bf16 && !cpu.slow_bf16) tables.push_back(&avx512bf16_table());
  if (cpu.amx) tables.push_back(&avx512amx_table());
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

ResizeFunctions resize_functions(const KernelTable& table) {
  const std::string_view isa = table.name;  // a table of another CPU may not even be asked for
  if (isa.starts_with("avx512")) return {resize_horizontal_u8_avx512, resize_vertical_u8_avx512};
  if (isa.starts_with("avx2")) return {resize_horizontal_u8_avx2, resize_vertical_u8_avx2};
  return {resize_horizontal_u8_reference, resize_vertical_u8_reference};
}

}  // namespace tw
