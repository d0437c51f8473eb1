# The CUDA kernels on the CPU: their sources compiled as C++ over kernels/cuda/host_shim. Twice: as the other tests are, and
# with the address and undefined-behaviour sanitizers. Not under the thread sanitizer, which knows no switched stacks.
if(TUWEN_SANITIZE MATCHES "thread")
  return()
endif()
file(GLOB cuda_kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu)
file(GLOB cuda_shim CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/host_shim/*.cpp)
file(GLOB cuda_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
file(GLOB card_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/card/*.cpp)
# Tile sizes are ints, and so are lengths of arrays; `#pragma unroll` is nvcc's.
set_source_files_properties(${cuda_kernels} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-Wno-unknown-pragmas;-Wno-sign-conversion")
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/test_shim_sm90.cpp PROPERTIES COMPILE_OPTIONS "-Wno-sign-conversion")

# Half of the time goes to sessions, so these are a test of their own: two run at once.
function(tuwen_cuda_test name)
  add_executable(${name} ${cuda_kernels} ${cuda_shim} ${cuda_tests})
  target_link_libraries(${name} PRIVATE tuwen_test_main tuwen_models)
  add_test(NAME ${name} COMMAND ${name} "~cuda session*")
  add_test(NAME ${name}_session COMMAND ${name} "cuda session*")
  set_tests_properties(${name} ${name}_session PROPERTIES LABELS fast TIMEOUT 1200)
endfunction()

tuwen_cuda_test(test_cuda)
if(NOT TUWEN_SANITIZE)
  tuwen_cuda_test(test_cuda_sanitized)
  set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(test_cuda_sanitized PRIVATE -O1 ${sanitizers} -U_FORTIFY_SOURCE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(test_cuda_sanitized PRIVATE ${sanitizers})
endif()

# The same cases on a card, and larger ones. Skipped where there is none.
if(TUWEN_HAVE_CUDA)
  set(cases ${cuda_tests})
  list(FILTER cases EXCLUDE REGEX "/(shim|test_shim|test_shim_early|test_shim_sm90|test_geometry|test_staged|test_session|test_forward_faults|test_product_choices|test_fast_plan)\\.cpp$")
  add_executable(test_gpu ${cases} ${card_tests})
  target_link_libraries(test_gpu PRIVATE tuwen_models tuwen_cuda Catch2::Catch2 tuwen_options)
  add_test(NAME test_gpu COMMAND test_gpu)
  set_tests_properties(test_gpu PROPERTIES LABELS fast TIMEOUT 600 SKIP_RETURN_CODE 77)
endif()

find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME cuda-objects COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/check_cuda_objects.py ${PROJECT_BINARY_DIR})
  set_tests_properties(cuda-objects PROPERTIES LABELS slow TIMEOUT 3600 SKIP_RETURN_CODE 77)
endif()
