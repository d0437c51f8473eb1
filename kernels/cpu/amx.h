// Products on AMX tiles, defined in amx_avx512.cpp. Contracts: kernels/kernel_table.h.
#pragma once

#include "kernels/kernel_table.h"

namespace tw {

void linear_bf16_amx(const LinearBf16Args& p);
void linear_int8_amx(const LinearInt8Args& p);

}  // namespace tw
