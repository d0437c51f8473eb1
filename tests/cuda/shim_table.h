// The CUDA kernels on the host shim in the form of a CPU's kernel table, so that what checks those checks them too.
#pragma once

#include "kernels/kernel_table.h"

namespace tw::test {

// Entries that have no CUDA kernel, the eight-bit ones, are the reference's.
const KernelTable& shim_table();

}  // namespace tw::test
