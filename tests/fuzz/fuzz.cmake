# Fuzz targets: tests/fuzz/fuzz_NAME.cpp, each a LLVMFuzzerTestOneInput.
#
# Every build replays the recorded inputs (tests/fuzz/corpus/NAME and the folders given) as an ordinary test. With TUWEN_FUZZ the
# programs are libFuzzer's: configure with the preset "fuzz", then for example
#   build/fuzz/tests/fuzz_safetensors -max_total_time=120 NEW_INPUTS tests/fuzz/corpus/safetensors
# An input that found a defect belongs into the corpus, under a name that says what it was.
option(TUWEN_FUZZ "Build the fuzz targets with libFuzzer (clang; TUWEN_SANITIZE with fuzzer-no-link)" OFF)
if(TUWEN_FUZZ AND NOT TUWEN_SANITIZE MATCHES "fuzzer-no-link")
  message(FATAL_ERROR "TUWEN_FUZZ needs TUWEN_SANITIZE=address,undefined,fuzzer-no-link, as the preset fuzz has it")
endif()

function(tuwen_fuzz name)
  cmake_parse_arguments(FUZZ "" "" "LIBRARIES;CORPUS" ${ARGN})
  add_executable(fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE tuwen_options ${FUZZ_LIBRARIES})
  if(TUWEN_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    return()
  endif()
  target_sources(fuzz_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/replay.cpp)
  add_test(NAME fuzz-${name} COMMAND fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name} ${FUZZ_CORPUS})
  set_tests_properties(fuzz-${name} PROPERTIES LABELS fast TIMEOUT 120)
endfunction()

set(data ${CMAKE_CURRENT_SOURCE_DIR}/data)
tuwen_fuzz(safetensors LIBRARIES tuwen_io CORPUS ${data}/io)
tuwen_fuzz(torch_checkpoint LIBRARIES tuwen_io CORPUS ${data}/io)
tuwen_fuzz(config LIBRARIES tuwen_models)
