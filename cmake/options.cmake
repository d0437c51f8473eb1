# tuwen_options: what every translation unit of the project is compiled with.
set(TUWEN_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=: address,undefined or thread; empty for none")

set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(tuwen_options INTERFACE)
target_compile_features(tuwen_options INTERFACE cxx_std_20)
target_include_directories(tuwen_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_options(tuwen_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -fno-math-errno
  # GCC 12 warns about overlapping copies in "text" + std::string, which there are none of (GCC bug 105651).
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>
  # Contraction is chosen by hand: a*b+c is two roundings unless a kernel writes fma.
  -ffp-contract=off
  # No build path in the binaries: the same sources give the same bytes anywhere.
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/= -ffile-prefix-map=${PROJECT_BINARY_DIR}/=)
if(TUWEN_WERROR)
  target_compile_options(tuwen_options INTERFACE -Werror)
endif()

if(TUWEN_SANITIZE)
  target_compile_options(tuwen_options INTERFACE
    -fsanitize=${TUWEN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    # GCC documents false positives of this warning in instrumented code; 12 has them inside its own <regex>.
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  target_compile_definitions(tuwen_options INTERFACE _GLIBCXX_ASSERTIONS)
  target_link_options(tuwen_options INTERFACE -fsanitize=${TUWEN_SANITIZE})
else()
  # Cheap hardening for code that reads hostile files.
  target_compile_options(tuwen_options INTERFACE
    -fstack-protector-strong -fstack-clash-protection $<$<CONFIG:Release>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
  target_link_options(tuwen_options INTERFACE -Wl,-z,relro,-z,now)
endif()
