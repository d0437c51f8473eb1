# The command line, driven as a user would. The tests need Python alone; test_retrieval.py needs NumPy, and its part about
# LMDB Python's lmdb, without which it says that it is skipped.
if(TUWEN_BUILD_CLI AND Python3_FOUND)
  foreach(name program similarity classify embed demo tokenize drift verify search retrieval)
    add_test(NAME cli-${name} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/test_${name}.py)
    set_tests_properties(cli-${name} PROPERTIES LABELS fast TIMEOUT 300
      ENVIRONMENT "TUWEN_CLI=$<TARGET_FILE:tuwen_cli>;TUWEN_TEST_DATA=${CMAKE_CURRENT_SOURCE_DIR}/data")
  endforeach()
endif()
