# Consumers outside the tree. They link a normal build only: a sanitized library needs its run-time in the program.
if(TUWEN_INSTALL AND NOT TUWEN_SANITIZE)
  foreach(kind find_package pkg_config add_subdirectory)
    add_test(NAME package-${kind}
             COMMAND ${CMAKE_CURRENT_LIST_DIR}/run ${kind} ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
    set_tests_properties(package-${kind} PROPERTIES LABELS fast TIMEOUT 300)
  endforeach()
  # It compiles the library a second time.
  set_tests_properties(package-add_subdirectory PROPERTIES LABELS slow TIMEOUT 1200)
endif()
