#include "core/speculation/head_check.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/error.h"
#include "core/speculation/draft_model.h"
#include "core/speculation/hidden_rows.h"

namespace cria {

namespace {

// Keep what goes into their layers. `last`: what comes out of the last one, too.
struct Kept {
  std::string_view architecture;
  bool last = false;
};
constexpr Kept kKept[] = {{"llama"},        {"qwen3"},         {"qwen3moe"},
                          {"gemma4", true}, {"minimax-m2"},    {"hunyuan_vl"},
                          {"nanbeige"},     {"gpt-oss", true}, {"muse-glimmer"}};

// Have a graph for the layers that predict.
constexpr std::string_view kPredicting[] = {"glm4moe", "deepseek2", "deepseek32", "glm-dsa",
                                            "mimo2",   "hy_v3",     "cohere2moe", "step35"};

std::string architecture_of(const Model& model) { return model.metadata("general.architecture"); }

[[noreturn]] void refuse_head(const std::string& what) {
  throw Error(code::kInvalidArgument,
              "Expected a `speculation.draft` that was trained as an EAGLE-3 head of this model, "
              "but " +
                  what + ": use the head that was made for it.");
}

void check_layers(const Model& head, const Model& model) {
  const std::string architecture = architecture_of(model);
  const auto* kept = std::find_if(std::begin(kKept), std::end(kKept), [&](const Kept& one) {
    return one.architecture == architecture;
  });
  if (kept == std::end(kKept)) {
    throw Error(code::kUnsupported,
                "llama.cpp does not keep what an EAGLE-3 head reads of a model of architecture \"" +
                    architecture + "\": use `speculation` of another type.");
  }
  const int32_t layers = llama_model_n_layer(model.handle());
  const int32_t most = kept->last ? layers : layers - 1;
  for (const int32_t layer : layers_read_by(head.handle())) {
    if (layer >= 0 && layer <= most) continue;
    refuse_head("it reads layer " + std::to_string(layer) + ", and the model has " +
                std::to_string(layers));
  }
}

}  // namespace

void check_eagle3(const Model& head, const Model& model) {
  if (architecture_of(head) != "eagle3") {
    throw Error(code::kInvalidArgument,
                "Expected a `speculation.draft` of architecture \"eagle3\", got \"" +
                    architecture_of(head) + "\": for a smaller model the type is \"draft\".");
  }
  if (head.vocab_only()) {
    throw Error(code::kUnsupported,
                "The model `speculation.draft` was loaded with `vocabOnly`: it has no weights.");
  }
  const int32_t layers = llama_model_n_layer(head.handle());
  if (layers != 1) {
    throw Error(code::kModelInvalid,
                "Expected an EAGLE-3 head of one layer, found " + std::to_string(layers) + ".");
  }
  check_layers(head, model);
  const int64_t width = llama_model_n_embd(model.handle());
  const int64_t read = head.hyperparameter("target_hidden_size");
  if (read != width) {
    refuse_head("it reads rows of " + std::to_string(read) + " numbers, and the model's have " +
                std::to_string(width));
  }
  const int64_t own = llama_model_n_embd(head.handle());
  const bool borrows = head.tensor_shape("token_embd.weight") == nullptr ||
                       head.tensor_shape("output.weight") == nullptr;
  if (borrows && own != width) {
    refuse_head("it has no embeddings or output layer of its own, and is " + std::to_string(own) +
                " wide where the model is " + std::to_string(width));
  }
  // Without d2t its logits are one for each of the model's tokens.
  if (head.vocabulary().size() != model.vocabulary().size()) {
    refuse_head("its vocabulary has " + std::to_string(head.vocabulary().size()) +
                " tokens, and the model's " + std::to_string(model.vocabulary().size()));
  }
  const TensorShape* embeddings = head.tensor_shape("token_embd.weight");
  if (embeddings != nullptr && (*embeddings)[1] < head.vocabulary().size()) {
    throw Error(code::kModelInvalid,
                "Expected the tensor \"token_embd.weight\" of the head to have a row for each of " +
                    std::to_string(head.vocabulary().size()) + " tokens, found " +
                    std::to_string((*embeddings)[1]) + ".");
  }
  check_draft_vocabulary(head.vocabulary(), model.vocabulary());
}

void check_mtp(const Model& model) {
  const std::string architecture = architecture_of(model);
  const int32_t predicting = llama_model_n_layer_nextn(model.handle());
  const bool known = std::find(std::begin(kPredicting), std::end(kPredicting), architecture) !=
                     std::end(kPredicting);
  if (predicting < 1 || !known) {
    throw Error(code::kUnsupported,
                predicting < 1
                    ? "This model has no layers that predict further tokens (MTP): use "
                      "`speculation` of another type."
                    : "llama.cpp does not compute the layers that predict further tokens (MTP) of "
                      "architecture \"" +
                          architecture + "\": use `speculation` of another type.");
  }
  if (!model.loads_mtp()) {
    throw Error(code::kInvalidArgument,
                "`speculation` of type \"mtp\" needs a model that was loaded with `mtp: true`.");
  }
  const std::string tensor =
      "blk." + std::to_string(llama_model_n_layer(model.handle())) + ".nextn.eh_proj.weight";
  if (model.tensor_shape(tensor) != nullptr) return;
  throw Error(code::kModelInvalid,
              "Expected the model to have the layers that predict further tokens (MTP), but its "
              "file lacks the tensor \"" +
                  tensor + "\": somebody left them out to make it smaller.");
}

}  // namespace cria
