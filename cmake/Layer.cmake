# firesteel_layer(NAME [SEES layer|library …] [PRIVATE library …] [PRECOMPILE header …] [APART header])
# One folder of src/ as a static library. SEES lists what its files may include. The files that include the header
# APART are precompiled with it, the others with PRECOMPILE.
function(firesteel_layer name)
  cmake_parse_arguments(layer "" "APART" "SEES;PRIVATE;PRECOMPILE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  set(warnings -Wall -Wextra -Werror
    -Wno-missing-field-initializers  # designated initialisers leave defaults out on purpose
    -Wno-stringop-overflow -Wno-restrict -Wno-array-bounds  # false alarms of g++ 12 in std::string
  )
  if(layer_APART)
    set(apart)
    foreach(source ${sources})
      file(STRINGS ${source} includes REGEX "#include \"${layer_APART}\"")
      if(includes)
        list(APPEND apart ${source})
      endif()
    endforeach()
    list(REMOVE_ITEM sources ${apart})
    add_library(firesteel_${name}_apart OBJECT ${apart})
    target_include_directories(firesteel_${name}_apart PRIVATE ${CMAKE_SOURCE_DIR}/src)
    target_compile_options(firesteel_${name}_apart PRIVATE ${warnings})
    target_link_libraries(firesteel_${name}_apart PRIVATE ${layer_SEES} fmt::fmt ${layer_PRIVATE})
    target_precompile_headers(firesteel_${name}_apart PRIVATE <${layer_APART}>)
    list(APPEND sources $<TARGET_OBJECTS:firesteel_${name}_apart>)
  endif()
  add_library(firesteel_${name} STATIC ${sources})
  target_include_directories(firesteel_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_compile_options(firesteel_${name} PRIVATE ${warnings})
  target_link_libraries(firesteel_${name} PUBLIC ${layer_SEES} fmt::fmt PRIVATE ${layer_PRIVATE})
  if(layer_PRECOMPILE)
    target_precompile_headers(firesteel_${name} PRIVATE ${layer_PRECOMPILE})
  endif()
  set_property(GLOBAL APPEND PROPERTY FIRESTEEL_LAYERS firesteel_${name})
endfunction()

# firesteel_unit_tests(LAYER [library …]): tests/unit/LAYER/*.cpp as one program, registered with ctest.
function(firesteel_unit_tests layer)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/unit/${layer}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${layer} ${sources})
  target_compile_options(test_${layer} PRIVATE -Wall -Wextra -Werror
    -Wno-missing-field-initializers  # designated initialisers leave defaults out on purpose
    -Wno-stringop-overflow -Wno-restrict -Wno-array-bounds  # false alarms of g++ 12 in std::string
  )
  target_compile_definitions(test_${layer} PRIVATE FIRESTEEL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(test_${layer} PRIVATE firesteel_${layer} ${ARGN} GTest::gtest_main)
  add_test(NAME unit_${layer} COMMAND test_${layer})
  set_tests_properties(unit_${layer} PROPERTIES TIMEOUT 600)
endfunction()
