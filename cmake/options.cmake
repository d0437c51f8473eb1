# tuwen_options: what every translation unit of the project is compiled with.
add_library(tuwen_options INTERFACE)
target_compile_features(tuwen_options INTERFACE cxx_std_20)
target_include_directories(tuwen_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_options(tuwen_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -fno-math-errno
  # Contraction is chosen by hand: a*b+c is two roundings unless a kernel writes fma.
  -ffp-contract=off)
if(TUWEN_WERROR)
  target_compile_options(tuwen_options INTERFACE -Werror)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
