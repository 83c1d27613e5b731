# A relocatable tree: the program, the library, its headers and a CMake package; the shared libraries
# that come from Python and npm packages are copied beside, found by relative rpath. Those of Debian's
# packages stay where they are.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS firesteel_program firesteel_models_program RUNTIME DESTINATION bin)
install(FILES ${CMAKE_SOURCE_DIR}/src/cli/export.py DESTINATION share/firesteel)
install(TARGETS firesteel_shared EXPORT FiresteelTargets LIBRARY DESTINATION lib)
install(EXPORT FiresteelTargets NAMESPACE Firesteel:: DESTINATION lib/cmake/Firesteel)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/firesteel DESTINATION include)
foreach(layer base plan cluster dataframe ml)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/src/${layer} DESTINATION include/firesteel FILES_MATCHING PATTERN "*.h" PATTERN "*.inc")
endforeach()
# Of the torch layers, the headers that need no torch.
install(FILES ${CMAKE_SOURCE_DIR}/src/tensor/encoder_spec.h ${CMAKE_SOURCE_DIR}/src/tensor/sampling.h DESTINATION include/firesteel/tensor)
foreach(header connect/client/executor train/metrics train/options train/progress train/schedule models/fine_tuning models/job models/tabular models/sentence_encoder
    models/model_function text/encoding text/tokenizer)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${CMAKE_SOURCE_DIR}/src/${header}.h DESTINATION include/firesteel/${folder})
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/src/images/decode.h DESTINATION include/firesteel/images)
install(FILES ${CMAKE_SOURCE_DIR}/src/engine/engine.h ${CMAKE_SOURCE_DIR}/src/engine/database.h
  DESTINATION include/firesteel/engine)
get_filename_component(torch_libraries ${TORCH_INSTALL_PREFIX}/lib ABSOLUTE)
file(GLOB borrowed ${torch_libraries}/libtorch.so ${torch_libraries}/libtorch_cpu.so ${torch_libraries}/libtorch_cuda.so
  ${torch_libraries}/libc10*.so ${torch_libraries}/libgomp*.so* ${torch_libraries}/libshm.so)
install(FILES ${borrowed} ${FIRESTEEL_DEPS}/duckdb/lib/libduckdb.so ${arrow_library}
  ${FIRESTEEL_DEPS}/duckdb/extensions/avro.duckdb_extension DESTINATION lib/firesteel)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/FiresteelConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(WRITE ${CMAKE_BINARY_DIR}/FiresteelConfig.cmake
  "include(\${CMAKE_CURRENT_LIST_DIR}/FiresteelTargets.cmake)\n")
install(FILES ${CMAKE_BINARY_DIR}/FiresteelConfig.cmake ${CMAKE_BINARY_DIR}/FiresteelConfigVersion.cmake
  DESTINATION lib/cmake/Firesteel)
