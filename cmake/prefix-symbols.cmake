# Copies a static library with a prefix in front of the name of every symbol that it defines:
# cmake -DNM=… -DOBJCOPY=… -DFROM=… -DTO=… -DPREFIX=… -P prefix-symbols.cmake

execute_process(COMMAND "${NM}" --defined-only "${FROM}"
  OUTPUT_VARIABLE output RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${NM} could not read ${FROM}.")
endif()
# Lines of "address kind name", between names of the library's members. Capital letters are global
# symbols, "u" is a unique one; "n" is the name of a group of sections, of which a linker keeps the
# first of each name.
string(REGEX MATCHALL "[0-9a-f]+ [A-Znu] [^\n]+" lines "${output}")
set(renamed "")
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^[0-9a-f]+ [A-Znu] " "" name "${line}")
  list(APPEND renamed "${name} ${PREFIX}${name}")
endforeach()
list(REMOVE_DUPLICATES renamed)
list(JOIN renamed "\n" text)
file(WRITE "${TO}.names" "${text}\n")
execute_process(COMMAND "${OBJCOPY}" "--redefine-syms=${TO}.names" "${FROM}" "${TO}"
  RESULT_VARIABLE failed)
if(failed)
  file(REMOVE "${TO}")
  message(FATAL_ERROR "${OBJCOPY} could not rename the symbols of ${FROM}.")
endif()
