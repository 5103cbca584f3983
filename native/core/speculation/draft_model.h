// A smaller model that guesses for a larger one with the same vocabulary: what it would say itself.
// It has a context of its own, with one text in it, and follows whichever generation asks. One
// thread at a time.
#pragma once

#include <llama.h>

#include <memory>
#include <utility>

#include "core/model/model.h"
#include "core/model/model_outline.h"
#include "core/model/token_batch.h"
#include "core/sampling/logit_scan.h"
#include "core/speculation/drafter.h"

namespace cria {

// Throws ERR_INVALID_ARGUMENT if a token of one model is another text in the other.
void check_draft_vocabulary(const Vocabulary& draft, const Vocabulary& target);

class DraftModel : public Drafter {
 public:
  // `context`: of this model's, for one sequence, whose cache can be cut anywhere.
  // `longest`: the most tokens that a text may have. `most_ids`: of the tokens that the larger
  // model knows.
  DraftModel(std::shared_ptr<const Model> model, LlamaContext context, int32_t longest,
             int32_t most_ids);

  llama_context* context() const override { return context_.get(); }

  // What it would say behind `tokens`, fewer at the end of a text. Empty while it is behind: a long
  // text is taken in piece by piece, one in each call.
  void propose(const Tokens& tokens, int32_t most, Tokens& proposal) override;

  void abandon() override { leave_behind(std::move(context_)); }

 private:
  bool evaluate(const Tokens& tokens, int32_t begin, int32_t end, bool output);
  llama_token likeliest();

  const std::shared_ptr<const Model> model_;
  LlamaContext context_;
  const int32_t longest_;
  const int32_t most_ids_;
  TokenBatch batch_;
  LogitScan scan_;
  Tokens cached_;  // what the cache holds
  bool works_ = true;
};

}  // namespace cria
