# The command line, driven as a user would. The tests need Python alone; test_retrieval.py needs NumPy, and its part about
# LMDB Python's lmdb, without which it says that it is skipped.
if(TUWEN_BUILD_CLI AND Python3_FOUND)
  foreach(name program similarity classify embed demo tokenize drift calibrate verify search retrieval)
    add_test(NAME cli-${name} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/test_${name}.py)
    set_tests_properties(cli-${name} PROPERTIES LABELS fast TIMEOUT 300
      ENVIRONMENT "TUWEN_CLI=$<TARGET_FILE:tuwen_cli>;TUWEN_TEST_DATA=${CMAKE_CURRENT_SOURCE_DIR}/data")
  endforeach()
endif()

# What test_clusters.cpp looks into; without faiss there is nothing of it.
if(faiss_FOUND AND OpenMP_CXX_FOUND)
  foreach(name cluster_build cluster_centres cluster_file clustered_index content_hash hashed_file index_file interrupt mapped_input nearest
               output_file progress search_index)
    target_sources(test_cli PRIVATE ${PROJECT_SOURCE_DIR}/cli/${name}.cpp)
  endforeach()
  target_compile_definitions(test_cli PRIVATE TUWEN_WITH_FAISS)
  target_include_directories(test_cli SYSTEM PRIVATE ${XXHASH_INCLUDE_DIR})
  target_link_libraries(test_cli PRIVATE tuwen::tuwen CLI11::CLI11 faiss)
else()
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/test_clusters.cpp PROPERTIES HEADER_FILE_ONLY ON)
endif()
