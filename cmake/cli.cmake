# see cmake/libraries.cmake
