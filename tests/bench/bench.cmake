# tuwen-bench as a user drives it, and the scripts around its records. Need Python alone, or numpy or matplotlib beside it (else skipped).
if(TUWEN_BUILD_BENCH AND Python3_FOUND)
  foreach(name encode peers bench_compare plot_bench)
    add_test(NAME bench-${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.py)
    set_tests_properties(bench-${name} PROPERTIES LABELS fast TIMEOUT 120 SKIP_RETURN_CODE 77
      ENVIRONMENT "TUWEN_BENCH=$<TARGET_FILE:tuwen_bench>;TUWEN_TEST_DATA=${CMAKE_CURRENT_SOURCE_DIR}/data")
  endforeach()
endif()
