# ggml's RPC backend ends the process where a worker is gone, and prints. Ours is the same source within
# a file that changes its words for that, over a transport of ours (native/core/model/rpc_endpoint.h).
set(CRIA_RPC_FILES "")
foreach(file rpc_backend rpc_endpoint rpc_listener rpc_socket rpc_transport)
  list(APPEND CRIA_RPC_FILES "${CMAKE_CURRENT_SOURCE_DIR}/native/core/model/${file}.cpp")
endforeach()
set_property(TARGET ggml-rpc PROPERTY SOURCES ${CRIA_RPC_FILES})
target_include_directories(ggml-rpc PRIVATE native "${LLAMA_CPP_DIR}/ggml/src"
  "${LLAMA_CPP_DIR}/ggml/src/ggml-rpc")
# Only ggml's registry asks for it; for everything else it would be one more reason to compile.
get_target_property(definitions ggml INTERFACE_COMPILE_DEFINITIONS)
list(REMOVE_ITEM definitions GGML_USE_RPC)
set_property(TARGET ggml PROPERTY INTERFACE_COMPILE_DEFINITIONS ${definitions})
