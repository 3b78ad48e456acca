# Build vocabulary: one warning set, one precompiled header, one function per kind of target.

option(BACKSTAY_WERROR "Treat warnings as errors (the presets do; packagers need not)" OFF)
option(BACKSTAY_FUZZ "Build the libFuzzer targets instead of the tests (needs clang)" OFF)

add_library(backstay_flags INTERFACE)
target_compile_features(backstay_flags INTERFACE cxx_std_20)
target_include_directories(backstay_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(backstay_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<BOOL:${BACKSTAY_WERROR}>:-Werror>
  # At -O2, GCC 12 takes the empty side of an optional inside TRY for a use of what it holds.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:RelWithDebInfo>>:-Wno-maybe-uninitialized>)
# Boost::json stands here so that its definitions are the same everywhere, as a shared precompiled header demands.
target_link_libraries(backstay_flags INTERFACE Threads::Threads Boost::json)

# Every target reuses this one precompiled header (2 s once instead of 1-2 s in each of some hundred files).
add_library(backstay_pch STATIC ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(backstay_pch PUBLIC backstay_flags fmt::fmt)
target_precompile_headers(backstay_pch PRIVATE ${PROJECT_SOURCE_DIR}/cmake/pch.h)

# backstay_library(NAME SOURCES a.cpp … DEPS lib …): a static library of one folder, linked to what the folder may use.
function(backstay_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC backstay_flags fmt::fmt ${arg_DEPS})
  target_precompile_headers(${name} REUSE_FROM backstay_pch)
endfunction()

# backstay_program(NAME SOURCES … DEPS …): an executable placed in ${PROJECT_BINARY_DIR}/bin.
function(backstay_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE backstay_flags fmt::fmt ${arg_DEPS})
  target_precompile_headers(${name} REUSE_FROM backstay_pch)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# backstay_test(NAME SOURCES … DEPS … [LABELS …]): a GoogleTest binary registered as one ctest entry.
function(backstay_test name)
  cmake_parse_arguments(arg "BOTH_STORES" "" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE backstay_flags fmt::fmt ${arg_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM backstay_pch)
  # Tests name files of the tree from its root: __FILE__ may be relative to anywhere (ccache's base_dir).
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS "unit;${arg_LABELS}")
  if(arg_BOTH_STORES)
    add_test(NAME ${name}_on_postgres WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
      COMMAND ${PROJECT_SOURCE_DIR}/tests/tools/with-postgres $<TARGET_FILE:${name}>)
    set_tests_properties(${name}_on_postgres PROPERTIES TIMEOUT 300 LABELS "unit;postgres;${arg_LABELS}")
  endif()
endfunction()

# backstay_fuzzer(NAME SOURCES … DEPS … CORPUS folder …): a libFuzzer target with the `fuzz` preset (target `fuzzers`
# builds them all, into ${PROJECT_BINARY_DIR}/fuzz); otherwise a test that runs it once over each file of the folders.
function(backstay_fuzzer name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;CORPUS" ${ARGN})
  if(NOT BACKSTAY_FUZZ)
    list(APPEND arg_SOURCES ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cpp)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE backstay_flags fmt::fmt ${arg_DEPS} $<$<BOOL:${BACKSTAY_FUZZ}>:-fsanitize=fuzzer>)
  if(BACKSTAY_FUZZ)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${name})
  else()
    add_test(NAME ${name} COMMAND ${name} ${arg_CORPUS})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS "unit;fuzz")
  endif()
endfunction()

include(${CMAKE_CURRENT_LIST_DIR}/EmbedSql.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/EmbedText.cmake)
