# The Python package: module tuwen._native over include/tuwen, and the files of python/tuwen around it.
# `pip install .` gives a wheel that holds libtuwen.so beside the module. In a build tree the package lies in
# <build>/python, so that PYTHONPATH=<build>/python runs the sources as they are.
find_package(Python 3.9 COMPONENTS Interpreter Development.Module REQUIRED)
if(NOT nanobind_ROOT)
  execute_process(COMMAND ${Python_EXECUTABLE} -m nanobind --cmake_dir
                  OUTPUT_VARIABLE nanobind_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE no_nanobind ERROR_QUIET)
  if(no_nanobind)
    message(FATAL_ERROR "TUWEN_PYTHON needs nanobind for ${Python_EXECUTABLE}: pip install nanobind")
  endif()
endif()
find_package(nanobind CONFIG REQUIRED)

set(package_dir ${PROJECT_BINARY_DIR}/python/tuwen)
file(MAKE_DIRECTORY ${package_dir})
file(GLOB package_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/tuwen/*.py ${PROJECT_SOURCE_DIR}/python/tuwen/py.typed)
foreach(file IN LISTS package_files)
  cmake_path(GET file FILENAME name)
  file(CREATE_LINK ${file} ${package_dir}/${name} SYMBOLIC)
endforeach()

file(GLOB native_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/native/*.cpp)
nanobind_add_module(tuwen_python NB_STATIC NOMINSIZE ${native_sources})
target_include_directories(tuwen_python PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(tuwen_python PRIVATE tuwen::tuwen)
target_compile_features(tuwen_python PRIVATE cxx_std_20)
target_compile_options(tuwen_python PRIVATE -Wall -Wextra -ffile-prefix-map=${PROJECT_SOURCE_DIR}/= -ffile-prefix-map=${PROJECT_BINARY_DIR}/=
                       $<$<BOOL:${TUWEN_WERROR}>:-Werror>)
set_target_properties(tuwen_python PROPERTIES
  OUTPUT_NAME _native
  LIBRARY_OUTPUT_DIRECTORY ${package_dir}
  INSTALL_RPATH "$ORIGIN")
nanobind_add_stub(tuwen_python_stub MODULE _native OUTPUT ${package_dir}/_native.pyi PYTHON_PATH ${package_dir} DEPENDS tuwen_python)

install(TARGETS tuwen_python LIBRARY DESTINATION tuwen COMPONENT python EXCLUDE_FROM_ALL)
install(FILES $<TARGET_FILE:tuwen> RENAME $<TARGET_SONAME_FILE_NAME:tuwen> DESTINATION tuwen COMPONENT python EXCLUDE_FROM_ALL)
install(FILES ${package_dir}/_native.pyi DESTINATION tuwen COMPONENT python EXCLUDE_FROM_ALL)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/demo/model/ DESTINATION tuwen/demo COMPONENT python EXCLUDE_FROM_ALL)
