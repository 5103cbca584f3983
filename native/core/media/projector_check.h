// What has to be true of a projector's file so that mtmd neither crashes nor hangs on it, as
// model_check.h has it for models.
#pragma once

#include <functional>
#include <string>

namespace cria {

class Model;

// Throws ERR_MODEL_INVALID with the key or the tensor, what was expected and what was found;
// ERR_UNSUPPORTED for a kind that cria cannot drive; ERR_DISPOSED once `goes_on` returns false.
// Linear in the size of the header.
void check_projector(const std::string& path, const Model& model,
                     const std::function<bool()>& goes_on);

}  // namespace cria
