# The layers, bottom up. Each is a static library; who may include whom is checked by scripts/check_layers.py.
function(tuwen_layer name)
  file(GLOB sources CONFIGURE_DEPENDS ${ARGN})
  if(NOT sources)
    file(WRITE ${PROJECT_BINARY_DIR}/empty.cpp "")
    set(sources ${PROJECT_BINARY_DIR}/empty.cpp)
  endif()
  add_library(tuwen_${name} STATIC ${sources})
  target_link_libraries(tuwen_${name} PUBLIC tuwen_options)
endfunction()

tuwen_layer(core ${PROJECT_SOURCE_DIR}/core/*.cpp)
target_link_libraries(tuwen_core PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
if(TUWEN_OPENMP)
  target_link_libraries(tuwen_core PRIVATE OpenMP::OpenMP_CXX)
  target_compile_definitions(tuwen_core PRIVATE TUWEN_HAVE_OPENMP)
endif()

tuwen_layer(kernels ${PROJECT_SOURCE_DIR}/kernels/*.cpp ${PROJECT_SOURCE_DIR}/kernels/reference/*.cpp
            ${PROJECT_SOURCE_DIR}/kernels/cpu/*.cpp ${PROJECT_SOURCE_DIR}/kernels/check/*.cpp)
target_link_libraries(tuwen_kernels PUBLIC tuwen_core)
foreach(isa avx2 avx512)
  string(TOUPPER ${isa} ISA)
  file(GLOB isa_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/cpu/*_${isa}*.cpp)
  set_source_files_properties(${isa_files} PROPERTIES COMPILE_OPTIONS "${TUWEN_${ISA}_FLAGS}")
endforeach()
set_source_files_properties(${PROJECT_SOURCE_DIR}/kernels/cpu/amx_avx512.cpp
                            PROPERTIES COMPILE_OPTIONS "${TUWEN_AVX512_FLAGS};${TUWEN_AMX_FLAGS}")

tuwen_layer(io ${PROJECT_SOURCE_DIR}/io/*.cpp)
target_link_libraries(tuwen_io PUBLIC tuwen_core PRIVATE nlohmann_json::nlohmann_json)
if(TUWEN_IMAGE_DECODER STREQUAL "native")
  target_link_libraries(tuwen_io PRIVATE JPEG::JPEG PNG::PNG PkgConfig::WEBP)
else()
  target_include_directories(tuwen_io SYSTEM PRIVATE ${STB_INCLUDE_DIR})
  target_compile_definitions(tuwen_io PRIVATE TUWEN_DECODE_WITH_STB)
endif()

tuwen_layer(tokenizer ${PROJECT_SOURCE_DIR}/tokenizer/*.cpp)
target_link_libraries(tuwen_tokenizer PUBLIC tuwen_core PRIVATE nlohmann_json::nlohmann_json)

tuwen_layer(models ${PROJECT_SOURCE_DIR}/models/*.cpp)
target_link_libraries(tuwen_models PUBLIC tuwen_kernels tuwen_io PRIVATE nlohmann_json::nlohmann_json)
