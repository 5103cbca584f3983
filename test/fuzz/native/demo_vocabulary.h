// The demo model's vocabulary ($CRIA_TEST_MODEL), for fuzzers that need a real one.
#pragma once

#include <cstdlib>
#include <memory>

#include "core/model/backend.h"
#include "core/model/model.h"
#include "property.h"

namespace fuzz {

// Loaded with the first input.
inline const cria::Vocabulary& demo_vocabulary() {
  static const std::shared_ptr<cria::Model> model = [] {
    const char* path = std::getenv("CRIA_TEST_MODEL");
    DEMAND(path != nullptr);
    cria::backend::start();
    cria::ModelOptions options;
    options.path = path;
    options.vocab_only = true;
    return cria::Model::load(options, [](float) { return true; });
  }();
  return model->vocabulary();
}

}  // namespace fuzz
