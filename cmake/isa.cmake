# Instruction-set flags, for the ISA files alone. core/cpu_info.cpp tests for exactly these features before a table is used.
set(TUWEN_AVX2_FLAGS -mavx2 -mfma -mf16c -mbmi -mbmi2 -mlzcnt)
set(TUWEN_AVX512_FLAGS ${TUWEN_AVX2_FLAGS} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mprefer-vector-width=512)
# GCC 12 warns inside its own AVX-512 headers (GCC bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND TUWEN_AVX512_FLAGS -Wno-maybe-uninitialized -Wno-uninitialized)
endif()
set(TUWEN_AMX_FLAGS -mavx512bf16 -mamx-tile -mamx-bf16 -mamx-int8)
# What the benchmark's peak loops use beyond a table's.
set(TUWEN_AVX512_DOT_FLAGS ${TUWEN_AVX512_FLAGS} -mavx512vnni -mavx512bf16)
