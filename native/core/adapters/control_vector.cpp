#include "core/adapters/control_vector.h"

#include <ggml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>
#include <string_view>

#include "core/model/error.h"
#include "core/model/model_files.h"
#include "core/model/regular_file.h"

namespace cria {

namespace {

constexpr std::string_view kPrefix = "direction.";

// Architectures whose graphs do not add them: files of src/models in llama.cpp without
// `build_cvec`, and those that use such a file's graph. test/generation/refused-adapters.test.ts
// compares.
constexpr std::string_view kWithout[] = {
    "bert",        "nomic-bert", "nomic-bert-moe",   "jina-bert-v2",     "jina-bert-v3",
    "modern-bert", "neo-bert",   "eurobert",         "plamo2",           "hy_v4",
    "eagle3",      "dflash",     "gemma4-assistant", "wavtokenizer-dec",
};

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(code::kModelInvalid, "\"" + path + "\" is not a control vector: " + why + ".");
}

std::optional<int32_t> layer_of(std::string_view name) {
  if (name.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  int32_t layer = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data(), end, layer);
  if (read.ec != std::errc() || read.ptr != end || layer < 1) return std::nullopt;
  return layer;
}

class Sum {
 public:
  explicit Sum(const Model& model)
      : width_(llama_model_n_embd(model.handle())),
        layers_(llama_model_n_layer(model.handle())),
        sum_(static_cast<size_t>(width_) * static_cast<size_t>(std::max(layers_ - 1, 0))) {}

  void add(const ControlVector& vector, const std::function<bool()>& goes_on) {
    const int32_t first = vector.first_layer == 0 ? 1 : vector.first_layer;
    const int32_t last = vector.last_layer == 0 ? layers_ - 1 : vector.last_layer;
    if (first < 1 || last >= layers_ || first > last) {
      throw Error(code::kInvalidArgument, "Expected `controlVectors` for layers 1 to " +
                                              std::to_string(layers_ - 1) + " of this model, got " +
                                              std::to_string(first) + " to " +
                                              std::to_string(last) + ".");
    }
    const ModelFiles files(vector.path, goes_on);
    if (files.paths().size() > 1) refuse(vector.path, "it is split into several files");
    const RegularFile file(vector.path);
    bool any = false;
    for (const GgufTensor& tensor : files.tensors()) {
      const std::optional<int32_t> layer = layer_of(tensor.name);
      if (!layer) {
        refuse(vector.path,
               "expected tensors \"direction.1\", \"direction.2\" and so on, found \"" +
                   tensor.name + "\"");
      }
      any = true;
      check(vector.path, tensor);
      if (*layer >= first && *layer <= last) add(vector, file, tensor, *layer);
    }
    if (!any) refuse(vector.path, "it has no tensors");
  }

  std::vector<float> take() { return std::move(sum_); }

 private:
  void check(const std::string& path, const GgufTensor& tensor) const {
    if (tensor.type != GGML_TYPE_F32 || !tensor.is_vector() || tensor.shape[0] != width_) {
      refuse(path, "expected \"" + tensor.name + "\" to be " + std::to_string(width_) +
                       " numbers of type f32, as wide as this model, found " +
                       std::to_string(tensor.elements()) + " of type " +
                       ggml_type_name(static_cast<ggml_type>(tensor.type)));
    }
  }

  void add(const ControlVector& vector, const RegularFile& file, const GgufTensor& tensor,
           int32_t layer) {
    std::vector<float> values(static_cast<size_t>(width_));
    file.read(tensor.offset, values.data(), values.size() * sizeof(float));
    float* const to = sum_.data() + static_cast<size_t>(width_) * static_cast<size_t>(layer - 1);
    for (size_t i = 0; i < values.size(); ++i) {
      to[i] += values[i] * vector.scale;
      if (!std::isfinite(to[i])) {
        refuse(vector.path, "\"" + tensor.name + "\" has numbers that are not finite");
      }
    }
  }

  const int32_t width_;
  const int32_t layers_;
  std::vector<float> sum_;
};

}  // namespace

std::vector<float> load_control_vectors(const std::vector<ControlVector>& vectors,
                                        const Model& model, const std::function<bool()>& goes_on) {
  if (vectors.empty()) return {};
  const std::string architecture = model.metadata("general.architecture");
  if (std::find(std::begin(kWithout), std::end(kWithout), architecture) != std::end(kWithout)) {
    throw Error(code::kUnsupported,
                "llama.cpp adds no control vectors to the layers of a model of architecture \"" +
                    architecture + "\": leave `controlVectors` out.");
  }
  Sum sum(model);
  for (const ControlVector& vector : vectors)
    sum.add(vector, goes_on);
  return sum.take();
}

}  // namespace cria
