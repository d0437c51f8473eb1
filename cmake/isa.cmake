# Instruction-set flags, for the ISA files alone. core/cpu_info.cpp tests for exactly these features before a table is used.
set(TUWEN_AVX2_FLAGS -mavx2 -mfma -mf16c -mbmi -mbmi2 -mlzcnt)
set(TUWEN_AVX512_FLAGS ${TUWEN_AVX2_FLAGS} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mprefer-vector-width=512)
