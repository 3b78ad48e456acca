# libarchive's shared library brings libxml2 and ICU (38 MB) for a format that is not used here: packages link the static
# one, of which only the formats that are asked for come along. Its list of formats names that one all the same, and a
# name for it is all the linker needs.
option(BACKSTAY_STATIC_LIBARCHIVE "Link libarchive statically (packages)" OFF)

if(BACKSTAY_STATIC_LIBARCHIVE)
  find_library(LIBARCHIVE_STATIC libarchive.a REQUIRED)
  foreach(library z bz2 lzma nettle)
    find_library(LIBARCHIVE_NEEDS_${library} ${library} REQUIRED)
    list(APPEND libarchive_needs ${LIBARCHIVE_NEEDS_${library}})
  endforeach()
  set_target_properties(LibArchive::LibArchive PROPERTIES
    IMPORTED_LOCATION ${LIBARCHIVE_STATIC}
    INTERFACE_LINK_LIBRARIES "${libarchive_needs}"
    INTERFACE_LINK_OPTIONS -Wl,--defsym,archive_write_set_format_xar=archive_write_set_format_raw)
endif()
