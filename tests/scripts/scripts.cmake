# The checks of the source tree are themselves checked: each planted fault has to be found.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(name check_layers make_checkpoint readme demo_training gpu_check)
    add_test(NAME scripts-${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.py)
    set_tests_properties(scripts-${name} PROPERTIES LABELS fast TIMEOUT 120 SKIP_RETURN_CODE 77)
  endforeach()
endif()
