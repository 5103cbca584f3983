# CRIA_SANITIZE instruments everything, llama.cpp included: a fault of ours often strikes in there.
# Every report ends the program. -O1 keeps the stacks readable and compiles in half the time.

if(CRIA_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "CRIA_FUZZ needs clang, which brings libFuzzer; this is ${CMAKE_CXX_COMPILER_ID}.")
endif()
function(cria_sanitize_strictly target)
  if(CRIA_SANITIZE)
    target_compile_options(${target} PRIVATE -fno-sanitize-recover=all)
    target_compile_definitions(${target} PRIVATE _GLIBCXX_ASSERTIONS CRIA_SANITIZED CRIA_WRAPPED_NEW)
    target_compile_options(${target} PRIVATE
      "-fsanitize-ignorelist=${CMAKE_CURRENT_SOURCE_DIR}/test/sanitizers/headers.ignorelist")
  endif()
  if(CRIA_FUZZ) # what libFuzzer steers by; ggml's kernels would only drown it
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

if(NOT CRIA_SANITIZE)
  return()
endif()
if(NOT CRIA_SANITIZE MATCHES "^(address|undefined|address,undefined|thread)$")
  message(FATAL_ERROR "CRIA_SANITIZE is address, undefined, address,undefined or thread, not ${CRIA_SANITIZE}.")
endif()

foreach(language C CXX)
  set(CMAKE_${language}_FLAGS_RELEASE "-O1 -DNDEBUG")
endforeach()
# Recoverable, so that a report from llama.cpp can be suppressed by name at run time, where
# UBSAN_OPTIONS=halt_on_error=1 makes the others final. In our own code nothing can be suppressed.
set(sanitize -fsanitize=${CRIA_SANITIZE})
add_compile_options(${sanitize} -fsanitize-recover=undefined -fno-omit-frame-pointer -gline-tables-only)
add_link_options(${sanitize})
# clang calls no other operators of new and delete, unless it is asked to.
add_link_options(LINKER:--wrap=_Znwm,--wrap=_Znam,--wrap=_ZdlPv,--wrap=_ZdaPv)
