# Every dependency, found where tools/setup.sh put it.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Protobuf before Torch: the torch wheel ships an old copy that must not be found first.
find_package(Protobuf REQUIRED)
find_program(PROTOC protoc REQUIRED)

file(GLOB SITE_PACKAGES ${FIRESTEEL_DEPS}/venv/lib/python3*/site-packages)
set(torch_root ${SITE_PACKAGES}/torch)
if(FIRESTEEL_TORCH)
  set(torch_root ${FIRESTEEL_TORCH})
endif()
if(NOT Torch_DIR)
  list(PREPEND CMAKE_PREFIX_PATH ${torch_root}/share/cmake)
endif()
find_package(Torch REQUIRED)
# The wheel's interface flags: its include folders hold an old protobuf, so only torch layers see them.
add_library(firesteel_torch INTERFACE)
target_include_directories(firesteel_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(firesteel_torch INTERFACE ${TORCH_LIBRARIES})
# The wheel's headers hold a newer fmt too, whose library it does not carry.
target_compile_definitions(firesteel_torch INTERFACE FMT_HEADER_ONLY)

add_library(arrow_cpp SHARED IMPORTED)
file(GLOB arrow_library ${SITE_PACKAGES}/pyarrow/libarrow.so.*)
set_target_properties(arrow_cpp PROPERTIES IMPORTED_LOCATION ${arrow_library})
target_include_directories(arrow_cpp SYSTEM INTERFACE ${SITE_PACKAGES}/pyarrow/include)

add_library(duckdb_cpp SHARED IMPORTED)
set_target_properties(duckdb_cpp PROPERTIES IMPORTED_LOCATION ${FIRESTEEL_DEPS}/duckdb/lib/libduckdb.so
  IMPORTED_NO_SONAME TRUE)
target_include_directories(duckdb_cpp SYSTEM INTERFACE ${FIRESTEEL_DEPS}/duckdb/include)

add_library(datasketches INTERFACE)
target_include_directories(datasketches SYSTEM INTERFACE ${FIRESTEEL_DEPS}/datasketches/include)

find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(editline REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(libxml2 REQUIRED IMPORTED_TARGET libxml-2.0)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(crypto REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
find_package(BZip2 REQUIRED)
find_package(Boost REQUIRED)
find_library(XGBOOST xgboost REQUIRED)
