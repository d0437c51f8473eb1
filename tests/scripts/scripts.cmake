# The checks of the source tree are themselves checked: each planted fault has to be found.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME check-layers-finds-faults COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_check_layers.py)
  set_tests_properties(check-layers-finds-faults PROPERTIES LABELS fast TIMEOUT 60)
endif()
