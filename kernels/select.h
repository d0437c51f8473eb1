// Which kernel table runs.
#pragma once

#include <string_view>
#include <vector>

#include "core/cpu_info.h"
#include "kernels/kernel_table.h"
#include "kernels/resize_args.h"

namespace tw {

// Every table this CPU can run, slowest first; "reference" is always there.
std::vector<const KernelTable*> available_tables(const CpuInfo& cpu);

// The table called `isa`, or the fastest available one if `isa` is empty. Throws unsupported, naming those that this
// CPU can run, if it cannot run that one or there is none of that name.
const KernelTable& select_table(const CpuInfo& cpu, std::string_view isa = {});

// The resize passes for the same instruction set.
ResizeFunctions resize_functions(const KernelTable& table);

}  // namespace tw
