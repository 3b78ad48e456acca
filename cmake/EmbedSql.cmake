# backstay_embed_sql(SOURCES_VARIABLE FUNCTION FILES 001_initial.sql 002_more.sql …): builds numbered migrations into the
# program. Generates "<folder of the caller>/FUNCTION.h" (included by that path) and its .cpp, whose name is put into
# SOURCES_VARIABLE for the caller's backstay_library(). The header declares, in namespace backstay,
#   std::span<const sqlite::Migration> FUNCTION();
# Files are numbered 001, 002, … without a hole and are never edited after a release.
function(backstay_embed_sql sources_variable function)
  cmake_parse_arguments(arg "" "" "FILES" ${ARGN})
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(version 0)
  set(entries "")
  foreach(file ${arg_FILES})
    math(EXPR version "${version} + 1")
    get_filename_component(name ${file} NAME_WE)
    string(REGEX MATCH "^0*([0-9]+)_" number ${name})
    if(NOT CMAKE_MATCH_1 EQUAL version)
      message(FATAL_ERROR "${file}: migrations are numbered without a hole; expected ${version}")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    file(READ ${file} sql)
    string(APPEND entries "    {${version}, \"${name}\", R\"sql(${sql})sql\"},\n")
  endforeach()
  set(base ${PROJECT_BINARY_DIR}/generated/${folder}/${function})
  file(CONFIGURE OUTPUT ${base}.h @ONLY CONTENT [[
// Generated from the .sql files beside it by backstay_embed_sql.
#pragma once

#include <span>

#include "common/sqlite/migrations.h"

namespace backstay {
std::span<const sqlite::Migration> @function@();
}
]])
  file(CONFIGURE OUTPUT ${base}.cpp @ONLY CONTENT [[
#include "@folder@/@function@.h"

namespace backstay {
namespace {
constexpr sqlite::Migration kMigrations[] = {
@entries@};
}  // namespace

std::span<const sqlite::Migration> @function@() { return kMigrations; }
}  // namespace backstay
]])
  set(${sources_variable} ${base}.cpp PARENT_SCOPE)
endfunction()
