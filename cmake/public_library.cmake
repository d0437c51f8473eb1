# libtuwen.so: the layers behind the C ABI of include/tuwen/tuwen.h, which is all that it exports. Target tuwen::tuwen.
configure_file(${PROJECT_SOURCE_DIR}/include/tuwen/version.h.in ${PROJECT_BINARY_DIR}/include/tuwen/version.h @ONLY)

file(GLOB api_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/api/*.cpp)
set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
add_library(tuwen SHARED ${api_sources})
add_library(tuwen::tuwen ALIAS tuwen)
target_link_libraries(tuwen PRIVATE tuwen_options tuwen_models tuwen_tokenizer tuwen_io)
if(TUWEN_HAVE_CUDA)
  target_link_libraries(tuwen PRIVATE tuwen_cuda)
  target_compile_definitions(tuwen PRIVATE TUWEN_HAVE_CUDA)
endif()
target_include_directories(tuwen PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# The C++ interface is header-only over the C one, so it needs C++20 of whoever includes it, not of the library's ABI.
target_compile_features(tuwen INTERFACE cxx_std_20)
if(TUWEN_IMAGE_DECODER STREQUAL "native")
  target_compile_definitions(tuwen PRIVATE TUWEN_DECODERS="libjpeg-turbo libpng libwebp")
else()
  target_compile_definitions(tuwen PRIVATE TUWEN_DECODERS="stb_image")
endif()
target_link_options(tuwen PRIVATE -Wl,--version-script=${exports} -Wl,--no-undefined)
if(TUWEN_SANITIZE)
  target_link_options(tuwen PRIVATE -Wl,-z,undefs)  # the sanitizer's run-time is resolved in the program
endif()
set_target_properties(tuwen PROPERTIES
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}
  LINK_DEPENDS ${exports}
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
