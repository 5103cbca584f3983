# ggml's RPC backend ends the process where a worker is gone, and prints. Ours is the same source within
# a file that changes its words for that, over a transport of ours (native/core/model/rpc_endpoint.h).
# Sets native_dir, and CRIA_RPC_FILES: to be left out of the core.
get_filename_component(native_dir "${CMAKE_CURRENT_LIST_DIR}/../native" ABSOLUTE)
set(CRIA_RPC_FILES "")
foreach(file rpc_backend rpc_endpoint rpc_listener rpc_socket rpc_transport)
  list(APPEND CRIA_RPC_FILES "${native_dir}/core/model/${file}.cpp")
endforeach()
set_property(TARGET ggml-rpc PROPERTY SOURCES ${CRIA_RPC_FILES})
target_include_directories(ggml-rpc PRIVATE "${native_dir}" "${LLAMA_CPP_DIR}/ggml/src"
  "${LLAMA_CPP_DIR}/ggml/src/ggml-rpc")
# Only ggml's registry asks for it; for everything else it would be one more reason to compile.
get_target_property(definitions ggml INTERFACE_COMPILE_DEFINITIONS)
list(REMOVE_ITEM definitions GGML_USE_RPC)
set_property(TARGET ggml PROPERTY INTERFACE_COMPILE_DEFINITIONS ${definitions})
