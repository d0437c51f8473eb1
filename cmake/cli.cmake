# The program `tuwen`. It sees include/tuwen and nothing else of the project.
file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.cpp)
if(NOT cli_sources)
  return()
endif()
add_executable(tuwen_cli ${cli_sources})
set_target_properties(tuwen_cli PROPERTIES
  OUTPUT_NAME tuwen
  RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
  INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
target_compile_definitions(tuwen_cli PRIVATE ${TUWEN_DEMO_PLACES})
target_link_libraries(tuwen_cli PRIVATE tuwen::tuwen tuwen_options CLI11::CLI11 nlohmann_json::nlohmann_json Threads::Threads)
target_include_directories(tuwen_cli SYSTEM PRIVATE ${XXHASH_INCLUDE_DIR})
if(TUWEN_LMDB)
  target_compile_definitions(tuwen_cli PRIVATE TUWEN_WITH_LMDB)
  target_include_directories(tuwen_cli SYSTEM PRIVATE ${LMDB_INCLUDE_DIR})
  target_link_libraries(tuwen_cli PRIVATE ${LMDB_LIBRARY})
endif()
if(TUWEN_INSTALL)
  install(TARGETS tuwen_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/demo/model/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tuwen/demo)
endif()
