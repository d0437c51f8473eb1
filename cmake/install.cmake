# Headers, libtuwen.so, the command line, and what find_package(tuwen CONFIG) and pkg-config need.
include(CMakePackageConfigHelpers)

install(TARGETS tuwen EXPORT tuwen-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_SOURCE_DIR}/include/tuwen/tuwen.h ${PROJECT_SOURCE_DIR}/include/tuwen/tuwen.hpp
              ${PROJECT_SOURCE_DIR}/include/tuwen/checkpoint.h ${PROJECT_SOURCE_DIR}/include/tuwen/checks.h ${PROJECT_SOURCE_DIR}/include/tuwen/forward.h ${PROJECT_SOURCE_DIR}/include/tuwen/forward.hpp
              ${PROJECT_BINARY_DIR}/include/tuwen/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tuwen)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/NOTICE ${PROJECT_SOURCE_DIR}/THIRD_PARTY.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tuwen)
install(EXPORT tuwen-targets NAMESPACE tuwen:: FILE tuwenConfig.cmake DESTINATION ${config_dir})
# While the major version is 0, a new minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tuwenConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tuwenConfigVersion.cmake DESTINATION ${config_dir})

# ${pcfiledir} keeps the file right wherever the installed tree is moved to.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
           OUTPUT_VARIABLE prefix_from_pc)
configure_file(${PROJECT_SOURCE_DIR}/cmake/tuwen.pc.in ${PROJECT_BINARY_DIR}/tuwen.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tuwen.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
