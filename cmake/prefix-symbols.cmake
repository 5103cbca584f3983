# Copies a static library with a prefix in front of the name of every symbol that it defines:
# cmake -DNM=… -DOBJCOPY=… -DFROM=… -DTO=… -DPREFIX=… -P prefix-symbols.cmake
# With -DBASE=… -DBASE_PREFIX=…, names that only the library BASE defines get that prefix.

cmake_minimum_required(VERSION 3.19)

# Sets `result` to the names of the symbols in a library that it defines, and `needed` to the others.
function(read_symbols library result needed)
  execute_process(COMMAND "${NM}" "${library}" OUTPUT_VARIABLE output RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${NM} could not read ${library}.")
  endif()
  # Lines of "address kind name", between names of the library's members. Capital letters are global
  # symbols, "u" is a unique one; "n" is the name of a group of sections, of which a linker keeps the
  # first of each name. What is not defined has no address, and the kind "U", or "w" if it may lack.
  string(REGEX MATCHALL "[0-9a-f]+ [A-Znu] [^\n]+" defined "${output}")
  string(REGEX MATCHALL " [Uw] [^\n]+" undefined "${output}")
  list(TRANSFORM defined REPLACE "^[0-9a-f]+ [A-Znu] " "")
  list(TRANSFORM undefined REPLACE "^ [Uw] " "")
  list(REMOVE_DUPLICATES defined)
  list(REMOVE_DUPLICATES undefined)
  set(${result} "${defined}" PARENT_SCOPE)
  set(${needed} "${undefined}" PARENT_SCOPE)
endfunction()

read_symbols("${FROM}" names needed)
set(renamed "")
foreach(name IN LISTS names)
  list(APPEND renamed "${name} ${PREFIX}${name}")
endforeach()
if(BASE)
  list(REMOVE_ITEM needed ${names})
  read_symbols("${BASE}" base_names base_needed)
  foreach(name IN LISTS needed)
    if(name IN_LIST base_names)
      list(APPEND renamed "${name} ${BASE_PREFIX}${name}")
    endif()
  endforeach()
endif()
list(JOIN renamed "\n" text)
file(WRITE "${TO}.names" "${text}\n")
execute_process(COMMAND "${OBJCOPY}" "--redefine-syms=${TO}.names" "${FROM}" "${TO}"
  RESULT_VARIABLE failed)
if(failed)
  file(REMOVE "${TO}")
  message(FATAL_ERROR "${OBJCOPY} could not rename the symbols of ${FROM}.")
endif()
