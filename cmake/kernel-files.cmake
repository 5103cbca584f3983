# Our files of ggml's CPU backend, which are compiled for each level: to be left out of the core.
set(CRIA_KERNEL_FILES "")
foreach(file attention k_quant_product q4_panel_product)
  get_filename_component(path "${CMAKE_CURRENT_LIST_DIR}/../native/core/model/${file}.cpp" ABSOLUTE)
  list(APPEND CRIA_KERNEL_FILES "${path}")
endforeach()
