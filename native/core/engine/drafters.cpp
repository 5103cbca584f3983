#include "core/engine/drafters.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "core/engine/context_params.h"
#include "core/model/error.h"
#include "core/speculation/head_check.h"

namespace cria {

namespace {

// llama.cpp's encoder of EAGLE-3 keeps logits of every row, and its decoder computes them: with a
// vocabulary of 128K a row takes 512 KB.
constexpr int32_t kMostRowsOfHeads = 64;
// The longest draft, beyond a text that fills its context.
constexpr int32_t kLongestDraft = 64;

LlamaContext create(const DrafterHost& host, const std::shared_ptr<Model>& model,
                    const ContextOptions& options,
                    const std::function<void(llama_context_params&)>& change) {
  llama_context_params params = generation_params(options);
  add_common_params(options, params);
  params.abort_callback = host.should_abort;
  params.abort_callback_data = host.should_abort_data;
  change(params);
  LlamaContext context;
  {
    std::lock_guard<std::mutex> lock(model->creating());
    const EvaluationGate::Pass pass(model->gate());
    context = create_llama_context(model->handle(), params);
  }
  host.attach_threads(context.get());
  return context;
}

// As many streams as the host has sequences: each follows the text of one.
ContextOptions head_options(const ContextOptions& options) {
  ContextOptions its;
  its.context_size = options.context_size + kLongestDraft;
  its.sequences = options.sequences;
  its.kv_cache_size = its.context_size * its.sequences;
  its.batch_size = std::max(std::min(options.micro_batch_size, kMostRowsOfHeads), its.sequences);
  its.micro_batch_size = std::min(its.batch_size, kMostRowsOfHeads);
  its.flash_attention = options.flash_attention;
  its.rope_frequency_base = options.rope_frequency_base;
  its.rope_frequency_scale = options.rope_frequency_scale;
  return its;
}

// What ggml asserts about a head's shapes and tables is told of the head, and of nobody else.
template <typename Work>
auto blaming_the_head(const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() != code::kInternal) throw;
    throw Error(code::kModelInvalid,
                std::string("The head that guesses cannot be computed: ") + error.what());
  }
}

}  // namespace

std::unique_ptr<DraftModel> open_draft_model(const DrafterHost& host,
                                             const std::shared_ptr<Model>& draft) {
  const ContextOptions its = draft_options(*draft, host.options);
  check_draft_vocabulary(draft->vocabulary(), host.model.vocabulary());
  return std::make_unique<DraftModel>(draft, create(host, draft, its, [](auto&) {}),
                                      its.context_size, host.model.vocabulary().size());
}

std::unique_ptr<DraftHead> open_eagle3(const DrafterHost& host,
                                       const std::shared_ptr<Model>& head) {
  check_eagle3(*head, host.model);
  const ContextOptions its = head_options(host.options);
  return blaming_the_head([&] {
    LlamaContext context = create(
        host, head, its, [&](llama_context_params& params) { params.ctx_other = host.context; });
    HiddenRows rows(host.context, layers_read_by(head->handle()));
    return std::make_unique<DraftHead>(head, std::move(context), std::move(rows), its.sequences,
                                       /*encodes=*/true);
  });
}

std::unique_ptr<DraftHead> open_mtp(const DrafterHost& host, const std::shared_ptr<Model>& model) {
  check_mtp(*model);
  const ContextOptions its = head_options(host.options);
  return blaming_the_head([&] {
    LlamaContext context = create(host, model, its, [](llama_context_params& params) {
      params.ctx_type = LLAMA_CONTEXT_TYPE_MTP;
    });
    return std::make_unique<DraftHead>(model, std::move(context), HiddenRows(host.context, {}),
                                       its.sequences, /*encodes=*/false);
  });
}

void try_out(DraftHead& head) {
  blaming_the_head([&] { head.try_out(); });
}

double cost_of_guess(const Model& model, const Model* draft) {
  if (draft != nullptr) {
    return static_cast<double>(llama_model_size(draft->handle())) /
           static_cast<double>(llama_model_size(model.handle()));
  }
  const auto all = static_cast<double>(llama_model_n_params(model.handle()));
  const double output = static_cast<double>(llama_model_n_embd(model.handle())) *
                        static_cast<double>(model.vocabulary().size()) / all;
  return (1 - std::min(output, 1.0)) / std::max(llama_model_n_layer(model.handle()), 1) + output;
}

}  // namespace cria
