# Every outside package, found here and nowhere else.
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)            # nlohmann-json3-dev
if(TUWEN_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS CXX)       # libgomp (g++) or libomp-16-dev (clang)
endif()
if(TUWEN_IMAGE_DECODER STREQUAL "native")
  find_package(JPEG REQUIRED)                        # libjpeg62-turbo-dev
  find_package(PNG REQUIRED)                         # libpng-dev
  find_package(PkgConfig REQUIRED)                   # pkg-config
  pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp libwebpdemux)  # libwebp-dev
elseif(TUWEN_IMAGE_DECODER STREQUAL "stb")
  find_path(STB_INCLUDE_DIR stb/stb_image.h REQUIRED)  # libstb-dev
else()
  message(FATAL_ERROR "TUWEN_IMAGE_DECODER is '${TUWEN_IMAGE_DECODER}', expected native or stb")
endif()
if(TUWEN_BUILD_CLI OR TUWEN_BUILD_BENCH)
  find_package(CLI11 REQUIRED)                       # libcli11-dev
endif()
if(TUWEN_BUILD_CLI)
  find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)      # libxxhash-dev; headers alone
  if(TUWEN_LMDB)
    find_path(LMDB_INCLUDE_DIR lmdb.h REQUIRED)        # liblmdb-dev, or -DTUWEN_LMDB=OFF
    find_library(LMDB_LIBRARY lmdb REQUIRED)
  endif()
  if(NOT TUWEN_FAISS STREQUAL "OFF")
    find_package(OpenMP QUIET COMPONENTS CXX)          # what faiss is linked with
    find_package(faiss 1.7.3 CONFIG QUIET)             # libfaiss-dev, which brings BLAS and LAPACK
    if(TUWEN_FAISS STREQUAL "ON" AND NOT (faiss_FOUND AND OpenMP_CXX_FOUND))
      message(FATAL_ERROR "TUWEN_FAISS is ON, but there is no faiss 1.7 or no OpenMP; Debian: libfaiss-dev")
    endif()
    message(STATUS "faiss: ${faiss_FOUND}")
  endif()
endif()
if(TUWEN_BUILD_TESTS OR TUWEN_BUILD_BENCH)
  find_package(Eigen3 3.4 REQUIRED)                  # libeigen3-dev
endif()
if(TUWEN_BUILD_TESTS)
  find_package(Catch2 2 REQUIRED)                    # catch2
endif()
