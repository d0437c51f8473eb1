# Full-size models against the reference implementation: slow, and one at a time, since the largest takes 12 GB.
if(TARGET tuwen_cli)
  foreach(preset vit-base-patch16 vit-large-patch14 vit-large-patch14-336px vit-huge-patch14)
    add_test(NAME parity-${preset}
             COMMAND ${CMAKE_CURRENT_LIST_DIR}/run ${PROJECT_SOURCE_DIR} $<TARGET_FILE:tuwen_cli> ${preset})
    set_tests_properties(parity-${preset} PROPERTIES LABELS slow TIMEOUT 3600 SKIP_RETURN_CODE 77 RUN_SERIAL TRUE)
  endforeach()
endif()
