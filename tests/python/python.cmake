# The Python package out of the build tree. Needs pytest; Pillow, torch, pyarrow and Ray are used where they are installed, and what
# is skipped without them is listed.
if(TUWEN_PYTHON)
  add_test(NAME python COMMAND ${Python_EXECUTABLE} -m pytest -q -rs -p no:cacheprovider ${CMAKE_CURRENT_LIST_DIR})
  set_tests_properties(python PROPERTIES LABELS "fast;python" TIMEOUT 600
    ENVIRONMENT "PYTHONPATH=${PROJECT_BINARY_DIR}/python;PYTHONDONTWRITEBYTECODE=1")
  add_test(NAME python-reference COMMAND ${CMAKE_CURRENT_LIST_DIR}/run_reference ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/python)
  set_tests_properties(python-reference PROPERTIES LABELS slow TIMEOUT 3600 SKIP_RETURN_CODE 77 RUN_SERIAL TRUE)
endif()
