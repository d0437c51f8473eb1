# Where the model that `demo` names lies, from a program's folder: installed beside it, or in the source tree of a build folder.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_DATADIR BASE_DIRECTORY ${CMAKE_INSTALL_FULL_BINDIR} OUTPUT_VARIABLE demo_installed)
cmake_path(RELATIVE_PATH PROJECT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_BINARY_DIR} OUTPUT_VARIABLE demo_built)
set(TUWEN_DEMO_PLACES TUWEN_DEMO_FROM_INSTALLED="${demo_installed}/tuwen/demo" TUWEN_DEMO_FROM_BUILT="${demo_built}/demo/model")
