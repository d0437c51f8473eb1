# The command line, driven as a user would. The tests need Python alone.
if(TUWEN_BUILD_CLI AND Python3_FOUND)
  add_test(NAME cli COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_cli.py)
  add_test(NAME cli-search COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_search.py)
  # Needs NumPy; the part about LMDB Python's lmdb, without which it says that it is skipped.
  add_test(NAME cli-retrieval COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_retrieval.py)
  set_tests_properties(cli cli-search cli-retrieval PROPERTIES LABELS fast TIMEOUT 300
    ENVIRONMENT "TUWEN_CLI=$<TARGET_FILE:tuwen_cli>;TUWEN_TEST_DATA=${CMAKE_CURRENT_SOURCE_DIR}/data")
endif()
