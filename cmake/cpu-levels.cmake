# One engine for all CPUs of an architecture: ggml's CPU backend is compiled once for each level of
# instructions, and native/core/model/cpu_level.cpp picks one when the process starts.
#
# Each level is a static library in which every symbol that it defines gets the level's name in
# front: no level can take a function from another, inlined templates of the standard library
# included, which linkers share by their names.

# Sets `result` to the levels of the target's architecture, the highest first, or to nothing where
# no such build is possible; the options of each are in options_NAME. In base_NAME is the level that
# another one differs from in native/core/model/bf16_kernels.h alone.
macro(cria_cpu_levels result)
  set(${result} "")
  # On Windows linkers know inlined functions by their sections' names, which objcopy leaves alone.
  if(CMAKE_OBJCOPY AND CMAKE_NM AND NOT WIN32 AND NOT APPLE)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
      set(${result} avx512bf16 avx512vnni avx2 sse42)
      set(options_sse42 -msse4.2)
      set(options_avx2 ${options_sse42} -mavx -mavx2 -mfma -mf16c -mbmi2)
      set(options_avx512vnni ${options_avx2} -mavx512f -mavx512cd -mavx512vl -mavx512dq -mavx512bw
        -mavx512vnni)
      set(options_avx512bf16 ${options_avx512vnni} -mavx512bf16)
      set(base_avx512bf16 avx512vnni)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
      # Without +fp16, with which ggml adds up in 16 bits.
      set(${result} i8mm dotprod armv8)
      set(options_armv8 -march=armv8-a)
      set(options_dotprod -march=armv8.2-a+dotprod)
      set(options_i8mm -march=armv8.2-a+dotprod+i8mm)
    endif()
  endif()
endmacro()

# Moves ggml-cpu's sources into a library for each level. ggml-cpu itself keeps `hooks`, which the
# levels share.
function(cria_split_into_levels levels hooks)
  get_target_property(directory ggml-cpu SOURCE_DIR)
  get_target_property(sources ggml-cpu SOURCES)
  get_target_property(definitions ggml-cpu COMPILE_DEFINITIONS)
  get_target_property(includes ggml-cpu INCLUDE_DIRECTORIES)
  get_target_property(options ggml-cpu COMPILE_OPTIONS)
  get_directory_property(directory_definitions DIRECTORY "${directory}" COMPILE_DEFINITIONS)
  foreach(list definitions includes options)
    if(NOT ${list})
      set(${list} "")
    endif()
  endforeach()
  set(files "")
  foreach(source IN LISTS sources)
    get_filename_component(file "${source}" ABSOLUTE BASE_DIR "${directory}")
    if(NOT file MATCHES "\\.(c|cpp)$" OR file STREQUAL hooks)
      continue()
    endif()
    # Set for ggml's directory, so not seen in this one.
    get_source_file_property(file_options "${file}" TARGET_DIRECTORY ggml-cpu COMPILE_OPTIONS)
    if(file_options)
      set_source_files_properties("${file}" PROPERTIES COMPILE_OPTIONS "${file_options}")
    endif()
    list(APPEND files "${file}")
  endforeach()
  set_property(TARGET ggml-cpu PROPERTY SOURCES "${hooks}")

  foreach(level IN LISTS levels)
    set(level_files ${files} ${CRIA_LEVEL_FILES})
    set(base_arguments "")
    set(base_target "")
    set(only_bf16 "")
    if(DEFINED base_${level})
      set(base_target cria-level-${base_${level}})
      set(base_arguments "-DBASE=$<TARGET_FILE:${base_target}>" "-DBASE_PREFIX=${base_${level}}_")
      set(only_bf16 CRIA_ONLY_BF16)
      list(FILTER level_files INCLUDE REGEX "/(vec|sgemm|cpu_level_entry)\\.cpp$")
    endif()
    add_library(cria-level-${level} STATIC EXCLUDE_FROM_ALL ${level_files})
    target_include_directories(cria-level-${level} PRIVATE ${includes} native)
    target_compile_definitions(cria-level-${level} PRIVATE ${definitions}
      ${directory_definitions} CRIA_CPU_LEVEL="${level}" ${only_bf16})
    target_compile_options(cria-level-${level} PRIVATE ${options} ${options_${level}})
    target_link_libraries(cria-level-${level} PRIVATE ggml-base)

    set(archive "${CMAKE_CURRENT_BINARY_DIR}/levels/libcria-level-${level}.a")
    add_custom_command(OUTPUT "${archive}"
      COMMAND "${CMAKE_COMMAND}" "-DNM=${CMAKE_NM}" "-DOBJCOPY=${CMAKE_OBJCOPY}"
        "-DFROM=$<TARGET_FILE:cria-level-${level}>" "-DTO=${archive}" "-DPREFIX=${level}_"
        ${base_arguments} -P "${CMAKE_CURRENT_SOURCE_DIR}/cmake/prefix-symbols.cmake"
      DEPENDS cria-level-${level} ${base_target}
        "${CMAKE_CURRENT_SOURCE_DIR}/cmake/prefix-symbols.cmake"
      VERBATIM)
    add_custom_target(cria-level-${level}-archive DEPENDS "${archive}")
    add_library(cria-level-${level}-renamed STATIC IMPORTED)
    set_target_properties(cria-level-${level}-renamed PROPERTIES IMPORTED_LOCATION "${archive}")
    target_link_libraries(cria-level-${level}-renamed INTERFACE ggml-cpu ggml-base)
    add_dependencies(cria-levels cria-level-${level}-archive)
    target_link_libraries(cria-levels PRIVATE cria-level-${level}-renamed)
  endforeach()

  list(TRANSFORM levels REPLACE "(.+)" "use(\\1)")
  list(JOIN levels " " uses)
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/levels/cpu_levels.h"
    CONTENT "#define CRIA_CPU_LEVELS(use) ${uses}\n" @ONLY)
  set_source_files_properties(native/core/model/cpu_level.cpp PROPERTIES COMPILE_OPTIONS
    "-include;${CMAKE_CURRENT_BINARY_DIR}/levels/cpu_levels.h")
endfunction()
