# The program `tuwen-bench`. Kernel benchmarks see the kernels; everything that runs a model sees include/tuwen alone.
file(GLOB bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.cpp)
# `demo` in the place of a model directory means what it means to the program tuwen.
set(demo_sources ${PROJECT_SOURCE_DIR}/cli/demo_model.cpp ${PROJECT_SOURCE_DIR}/cli/utf8_text.cpp)
add_executable(tuwen_bench ${bench_sources} ${demo_sources})
set_target_properties(tuwen_bench PROPERTIES OUTPUT_NAME tuwen-bench RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_link_libraries(tuwen_bench PRIVATE tuwen_kernels tuwen::tuwen tuwen_options CLI11::CLI11
                                          nlohmann_json::nlohmann_json Eigen3::Eigen)
target_compile_definitions(tuwen_bench PRIVATE ${TUWEN_DEMO_PLACES})
set_source_files_properties(${PROJECT_SOURCE_DIR}/bench/peak_avx2.cpp PROPERTIES COMPILE_OPTIONS "${TUWEN_AVX2_FLAGS}")
set_source_files_properties(${PROJECT_SOURCE_DIR}/bench/peak_avx512.cpp PROPERTIES
  COMPILE_OPTIONS "${TUWEN_AVX512_DOT_FLAGS}")
set_source_files_properties(${PROJECT_SOURCE_DIR}/bench/peak_amx.cpp PROPERTIES
  COMPILE_OPTIONS "${TUWEN_AVX512_FLAGS};${TUWEN_AMX_FLAGS}")
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} describe --always --dirty OUTPUT_VARIABLE TUWEN_COMMIT
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
set_source_files_properties(${PROJECT_SOURCE_DIR}/bench/environment.cpp PROPERTIES
  COMPILE_DEFINITIONS "TUWEN_COMMIT=\"${TUWEN_COMMIT}\";TUWEN_COMPILER=\"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\"")
