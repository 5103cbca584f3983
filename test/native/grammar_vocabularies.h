// What the tests of grammars have in common: two vocabularies, a small one of a model and one of
// 128K tokens, and what a text or an error comes to.
#pragma once

#include <llama.h>

#include <functional>
#include <string>

#include "core/model/error.h"
#include "core/model/vocabulary.h"
#include "core/sampling/sampler_step.h"

namespace grammars {

inline llama_model* models[2] = {};  // for as long as main() runs

inline const cria::Vocabulary& small() {
  static const cria::Vocabulary vocabulary(llama_model_get_vocab(models[0]));
  return vocabulary;
}

inline const cria::Vocabulary& large() {
  static const cria::Vocabulary vocabulary(llama_model_get_vocab(models[1]));
  return vocabulary;
}

// False if one of the files cannot be read.
inline bool load(const char* small_file, const char* large_file) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  models[0] = llama_model_load_from_file(small_file, params);
  models[1] = llama_model_load_from_file(large_file, params);
  return models[0] != nullptr && models[1] != nullptr;
}

inline void unload() {
  for (llama_model* model : models)
    llama_model_free(model);
}

inline cria::step::Grammar grammar_of(const std::string& source) {
  cria::step::Grammar grammar;
  grammar.source = source;
  grammar.root = "root";
  return grammar;
}

// "none" if it throws nothing.
inline std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const cria::Error& error) {
    return error.code();
  }
  return "none";
}

}  // namespace grammars
