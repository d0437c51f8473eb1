# The CUDA kernels, by nvcc. AUTO: where it is found. The kernels are tested without it too (tests/cuda/cuda.cmake).
set(default OFF)
if(PROJECT_IS_TOP_LEVEL)
  set(default AUTO)
endif()
set(TUWEN_CUDA ${default} CACHE STRING "Build the CUDA kernels: AUTO (if nvcc is found), ON or OFF")
set_property(CACHE TUWEN_CUDA PROPERTY STRINGS AUTO ON OFF)
set(TUWEN_CUDA_ARCHITECTURES 80-real 86-real 89-real 90a-real 90-virtual CACHE STRING
  "As CMAKE_CUDA_ARCHITECTURES; the last is PTX for devices to come")

set(TUWEN_HAVE_CUDA OFF)
if(NOT TUWEN_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  if(NOT CMAKE_CUDA_COMPILER)
    find_program(TUWEN_NVCC nvcc HINTS ENV CUDA_HOME PATHS /usr/local/cuda/bin)
    if(TUWEN_NVCC)
      set(CMAKE_CUDA_COMPILER ${TUWEN_NVCC})
    endif()
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${TUWEN_CUDA_ARCHITECTURES})
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that CUDA 13 has it
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    set(TUWEN_HAVE_CUDA ON)
  elseif(TUWEN_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TUWEN_CUDA is ON, but there is no nvcc; put it into PATH or set CMAKE_CUDA_COMPILER")
  endif()
endif()
message(STATUS "CUDA kernels: ${TUWEN_HAVE_CUDA}")

if(TUWEN_HAVE_CUDA)
  file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu ${PROJECT_SOURCE_DIR}/core/*.cu)
  add_library(tuwen_cuda STATIC EXCLUDE_FROM_ALL ${cuda_sources})
  set_target_properties(tuwen_cuda PROPERTIES
    CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static CUDA_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
  target_include_directories(tuwen_cuda PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(tuwen_cuda INTERFACE $<LINK_ONLY:tuwen_core>)  # compiled without its warnings, which are not nvcc's
  # Which devices there is code for, as core/device_cuda.h reads it. `all`, `all-major` and `native` stand for lists.
  set(compiled ${CMAKE_CUDA_ARCHITECTURES})
  if(compiled MATCHES "^(all|all-major|native)$")
    string(TOUPPER ${compiled} list)
    string(REPLACE - _ list ${list})
    set(compiled ${CMAKE_CUDA_ARCHITECTURES_${list}})
  endif()
  string(REPLACE ";" "," compiled "${compiled}")
  set_source_files_properties(${PROJECT_SOURCE_DIR}/core/device_cuda.cu PROPERTIES
    COMPILE_DEFINITIONS "TUWEN_CUDA_COMPILED=\"${compiled}\"")
  # Contraction is chosen by hand, as for the CPU (options.cmake); ptxas says what registers and memory each kernel takes.
  target_compile_options(tuwen_cuda PRIVATE -fmad=false --expt-relaxed-constexpr -Xptxas=-v)
endif()
