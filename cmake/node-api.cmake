# Headers and link rules for Node-API, from the packages node-api-headers and node-addon-api,
# or from cmake-js where it runs the build (CMAKE_JS_INC and others).

function(target_link_node_api target)
  target_compile_definitions(${target} PRIVATE
    NAPI_VERSION=8
    NAPI_CPP_EXCEPTIONS
    BUILDING_NODE_EXTENSION
    NODE_ADDON_API_DISABLE_DEPRECATED
    NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS
    NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED
    NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)

  if(CMAKE_JS_INC)
    set(includes ${CMAKE_JS_INC})
  else()
    set(includes "")
    foreach(header node-addon-api/napi.h node-api-headers/include/node_api.h)
      node_resolve("${header}" path)
      get_filename_component(directory "${path}" DIRECTORY)
      list(APPEND includes "${directory}")
    endforeach()
  endif()
  target_include_directories(${target} SYSTEM PRIVATE ${includes})

  if(WIN32)
    # Node's functions live in the executable, whatever its name is (Electron renames it): imported
    # with a delay, so that the hook can hand out the running process instead of a node.exe.
    if(CMAKE_JS_NODELIB_DEF)
      set(definition "${CMAKE_JS_NODELIB_DEF}")
    else()
      node_resolve(node-api-headers/def/node_api.def definition)
    endif()
    if(MSVC)
      set(library "${CMAKE_BINARY_DIR}/node.lib")
      set(command "${CMAKE_AR}" /nologo "/def:${definition}" "/out:${library}"
        ${CMAKE_STATIC_LINKER_FLAGS})
      target_link_options(${target} PRIVATE /DELAYLOAD:NODE.EXE)
    else()
      set(library "${CMAKE_BINARY_DIR}/libnode-delayed.a")
      set(command "${CMAKE_DLLTOOL}" -d "${definition}" -D NODE.EXE -y "${library}")
    endif()
    execute_process(COMMAND ${command} RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "Could not make ${library} from ${definition}")
    endif()
    target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/delay-load.cpp")
    target_link_libraries(${target} PRIVATE "${library}" delayimp)
  endif()
endfunction()

function(node_resolve request result)
  # build.mjs tells where the Node is that runs it, which need not be in PATH.
  find_program(NODE_PROGRAM node HINTS ENV CRIA_NODE_DIRECTORY REQUIRED)
  execute_process(
    COMMAND "${NODE_PROGRAM}" -p "require.resolve('${request}').replaceAll(path.sep, '/')"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "Node cannot find ${request}: run `npm install` first.")
  endif()
  set(${result} "${path}" PARENT_SCOPE)
endfunction()
