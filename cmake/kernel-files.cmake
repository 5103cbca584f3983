# Files of ours that are compiled for each level of instructions, and are left out of the core: in
# ggml's CPU backend, and beside it.
set(native_model "${CMAKE_CURRENT_LIST_DIR}/../native/core/model")
get_filename_component(native_model "${native_model}" ABSOLUTE)
set(CRIA_KERNEL_FILES attention bf16_kernels k_quant_product q4_panel_product)
set(CRIA_LEVEL_FILES cpu_level_entry logit_kernels)
foreach(list CRIA_KERNEL_FILES CRIA_LEVEL_FILES)
  list(TRANSFORM ${list} REPLACE "(.+)" "${native_model}/\\1.cpp")
endforeach()
