# What Windows needs beside the sources, included by CMakeLists.txt: for MSVC and for mingw-w64.

if(NOT WIN32)
  return()
endif()

# At the process's exit nothing of the library runs (native/binding/process_exit.h).
if(MSVC)
  target_link_options(cria PRIVATE /ENTRY:cria_entry_point)
  # By default MSVC takes it that no extern "C" function throws. ggml's failed assertions are thrown
  # through such (core/model/backend.h).
  foreach(target cria-core cria-chat cria ggml-rpc)
    target_compile_options(${target} PRIVATE /EHc-)
  endforeach()
  return()
endif()

target_link_options(cria PRIVATE LINKER:--entry=cria_entry_point LINKER:--gc-sections)
# mtmd asks for M_PI behind the header that would have it.
set_source_files_properties("${LLAMA_CPP_DIR}/tools/mtmd/mtmd-audio.cpp"
  TARGET_DIRECTORY mtmd PROPERTIES COMPILE_DEFINITIONS "_USE_MATH_DEFINES=")
# The compiler's runtime is in no folder that Windows looks for libraries in.
set(static_runtime -static -static-libstdc++ -static-libgcc)
target_link_options(cria PRIVATE ${static_runtime})
add_link_options(${static_runtime}) # the programs that follow
