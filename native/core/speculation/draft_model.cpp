#include "core/speculation/draft_model.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/model/error.h"
#include "core/model/rpc_endpoint.h"

namespace cria {

void check_draft_vocabulary(const Vocabulary& draft, const Vocabulary& target) {
  const int32_t common = std::min(draft.size(), target.size());
  std::string a;
  std::string b;
  for (llama_token token = 0; token < common; ++token) {
    a.clear();
    b.clear();
    draft.append_piece(token, /*special=*/true, a);
    target.append_piece(token, /*special=*/true, b);
    if (a == b && draft.ends_generation(token) == target.ends_generation(token)) continue;
    throw Error(code::kInvalidArgument,
                "Expected a `speculation.draft` with the same vocabulary, but its token " +
                    std::to_string(token) + " is \"" + draft.detokenize({token}, true) +
                    "\", and the model's is \"" + target.detokenize({token}, true) +
                    "\": use a smaller model of the same family.");
  }
}

DraftModel::DraftModel(std::shared_ptr<const Model> model, LlamaContext context, int32_t longest,
                       int32_t most_ids)
    : model_(std::move(model)),
      context_(std::move(context)),
      longest_(longest),
      most_ids_(most_ids) {
  batch_.reserve(static_cast<int32_t>(llama_n_batch(context_.get())));
}

void DraftModel::propose(const Tokens& tokens, int32_t most, Tokens& proposal) {
  proposal.clear();
  const auto length = static_cast<int32_t>(tokens.size());
  most = std::min(most, longest_ - length);
  if (!works_ || length == 0 || most <= 0) return;
  const auto differs = std::mismatch(cached_.begin(), cached_.end(), tokens.begin(), tokens.end());
  // The last token's logits are wanted, so it is evaluated in any case.
  const int32_t same = std::min(static_cast<int32_t>(differs.first - cached_.begin()), length - 1);
  // A larger vocabulary has tokens that this model does not know, which is no fault of its context.
  const int32_t known = model_->vocabulary().size();
  const auto unknown = [known](llama_token token) { return token >= known; };
  if (std::any_of(tokens.begin() + same, tokens.end(), unknown)) return;
  llama_memory_seq_rm(llama_get_memory(context_.get()), 0, same, -1);
  cached_.resize(static_cast<size_t>(same));
  const auto piece = static_cast<int32_t>(llama_n_ubatch(context_.get()));
  const bool behind = length - same > piece;
  if (!evaluate(tokens, same, behind ? same + piece : length, !behind) || behind) return;
  while (true) {
    const llama_token token = likeliest();
    if (token < 0 || token >= most_ids_ || model_->vocabulary().ends_generation(token)) return;
    proposal.push_back(token);
    if (static_cast<int32_t>(proposal.size()) == most) return;
    const auto begin = static_cast<int32_t>(proposal.size()) - 1;
    if (!evaluate(proposal, begin, begin + 1, /*output=*/true)) return;
  }
}

// Puts tokens behind those that the cache has. False if it was told to stop, or cannot.
bool DraftModel::evaluate(const Tokens& tokens, int32_t begin, int32_t end, bool output) {
  works_ = false;  // until this ends well
  batch_.clear();
  for (int32_t i = begin; i < end; ++i) {
    const auto position = static_cast<llama_pos>(cached_.size());
    cached_.push_back(tokens[static_cast<size_t>(i)]);
    batch_.add(cached_.back(), position, 0, output && i == end - 1);
  }
  const EvaluationGate::Pass pass(model_->gate());
  const int32_t status = llama_decode(context_.get(), batch_.view());
  if (status == kDecoded) llama_synchronize(context_.get());
  rpc::throw_if_lost();
  works_ = status == kDecoded || status == kAborted;
  // What is left of it goes before the next one.
  if (status != kDecoded) cached_.resize(cached_.size() - static_cast<size_t>(end - begin));
  return status == kDecoded;
}

// A token that no text has if there is nothing to choose from.
llama_token DraftModel::likeliest() {
  const float* const logits = llama_get_logits_ith(context_.get(), -1);
  if (logits == nullptr) return LLAMA_TOKEN_NULL;
  scan_.read(logits, model_->vocabulary().size());
  return scan_.usable() ? scan_.argmax() : LLAMA_TOKEN_NULL;
}

}  // namespace cria
