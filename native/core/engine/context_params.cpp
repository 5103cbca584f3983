#include "core/engine/context_params.h"

#include <algorithm>

#include "core/embedding/embedding_params.h"
#include "core/model/error.h"
#include "core/request/command.h"

namespace cria {

namespace {

// llama.cpp keeps some 50 bytes for each cell that are no part of what is measured, and takes them
// even then; states of recurrent models it allocates in any case. So no more than these are
// measured, and what is beyond is in proportion.
constexpr int32_t kMostCells = 1 << 20;
constexpr uint64_t kMostBytesOfStates = uint64_t{256} << 20;
constexpr int32_t kFewSequences = 4;

int32_t cells_of(const ContextOptions& options) {
  if (options.embeddings || options.unified_kv_cache) return options.kv_cache_size;
  return options.context_size * options.sequences;
}

// Of logits: of each sequence's last token, and of one draft.
uint32_t wanted_rows(const ContextOptions& options) {
  return static_cast<uint32_t>(options.sequences + options.drafted_tokens);
}

MemoryBreakdown measure_here(const Model& model, const ModelOutline& outline,
                             const ContextOptions& options) {
  llama_context_params params;
  uint64_t rows = 0;
  if (options.embeddings) {
    params =
        embedding_params(model, options, can_read_rows(model, outline.handle(), options.pooling));
    rows = params.n_outputs_max;
  } else {
    params = generation_params(options);
    rows = wanted_rows(options);
  }
  add_common_params(options, params);
  return outline.measure(params, rows);
}

// A straight line through what two measurements found, at `x`.
uint64_t extended(uint64_t y1, uint64_t y2, double x1, double x2, double x) {
  const double slope = (static_cast<double>(y2) - static_cast<double>(y1)) / (x2 - x1);
  return static_cast<uint64_t>(std::max(static_cast<double>(y2) + slope * (x - x2), 0.0));
}

MemoryBreakdown extended(MemoryBreakdown less, const MemoryBreakdown& more, double x1, double x2,
                         double x) {
  for (size_t i = 0; i < less.size(); ++i) {
    less[i].cache = extended(less[i].cache, more[i].cache, x1, x2, x);
    less[i].compute = extended(less[i].compute, more[i].compute, x1, x2, x);
  }
  return less;
}

ContextOptions with_sequences(ContextOptions options, int32_t sequences) {
  options.sequences = sequences;
  if (!options.unified_kv_cache && !options.embeddings) {
    options.kv_cache_size = options.context_size * sequences;
  }
  return options;
}

ContextOptions with_cells(ContextOptions options, int32_t cells) {
  if (options.embeddings || options.unified_kv_cache) {
    options.context_size = std::min(options.context_size, cells);
    options.kv_cache_size = cells;
    return options;
  }
  options.context_size = std::max(cells / options.sequences, 1);
  options.kv_cache_size = options.context_size * options.sequences;
  return options;
}

MemoryBreakdown measure_cells(const Model& model, const ModelOutline& outline,
                              const ContextOptions& options) {
  const int32_t cells = cells_of(options);
  // A model that keeps no cache has a text in one micro-batch, whose size is what counts.
  if (cells <= kMostCells || !model.generates()) return measure_here(model, outline, options);
  const ContextOptions less = with_cells(options, kMostCells / 2);
  const ContextOptions more = with_cells(options, kMostCells);
  return extended(measure_here(model, outline, less), measure_here(model, outline, more),
                  cells_of(less), cells_of(more), cells);
}

// The cells are the same for any number of sequences in one KV cache for all, so what grows is
// their states.
uint64_t bytes_of_states(const Model& model, const ModelOutline& outline,
                         const ContextOptions& options) {
  const llama_model* weights = outline.handle();
  if (!memory_kind(weights, options).recurrent) return 0;
  ContextOptions few = options;
  few.unified_kv_cache = true;
  few = with_cells(few, 1);
  const auto bytes = [&](int32_t sequences) {
    return cache_bytes(measure_here(model, outline, with_sequences(few, sequences)));
  };
  const uint64_t one = bytes(1);
  return (bytes(2) - one) * static_cast<uint64_t>(options.sequences);
}

uint64_t bytes_of_window(const Model& model, const ModelOutline& outline,
                         const ContextOptions& options, int32_t window) {
  constexpr int32_t kStep = 256;  // llama.cpp rounds up to so many cells
  const int32_t few = (window + options.micro_batch_size) / kStep * kStep + 2 * kStep;
  ContextOptions one = with_sequences(options, 1);
  one.unified_kv_cache = true;
  const auto bytes_more = [&](bool full) {
    const auto bytes = [&](int32_t cells) {
      one.swa_full = full;
      one.context_size = cells;
      one.kv_cache_size = cells;
      return cache_bytes(measure_here(model, outline, one));
    };
    return bytes(2 * few) - bytes(few);
  };
  // In a small cache, the cells of the other layers alone are more where there is more context.
  const uint64_t windows = bytes_more(true) - bytes_more(false);
  return windows * static_cast<uint64_t>(window) / static_cast<uint64_t>(few);
}

// A wrong guess is dropped again, cell by cell.
void check_drafts(const Model& model, const ContextOptions& options) {
  const MemoryKind memory = memory_kind(model.handle(), options);
  if (options.drafted_tokens == 0 || memory.cut_anywhere()) return;
  throw Error(code::kUnsupported,
              memory.recurrent
                  ? "`speculation` needs a model whose cache can be cut back by single tokens, and "
                    "this one has recurrent layers: leave it out."
                  : "`speculation` needs a cache that can be cut back by single tokens: leave "
                    "`swaFull` out, or set it to true.");
}

}  // namespace

void check_ability(const Model& model, const ContextOptions& options) {
  if (options.embeddings) return check_embeds(model);
  if (model.generates()) return check_drafts(model, options);
  throw Error(code::kUnsupported, "A model of architecture \"" +
                                      model.metadata("general.architecture") +
                                      "\" does not generate text: expected a decoder, or a "
                                      "context with `embeddings: true`.");
}

MemoryKind memory_kind(const llama_model* model, const ContextOptions& options) {
  MemoryKind kind;
  kind.recurrent = llama_model_is_recurrent(model) || llama_model_is_hybrid(model);
  kind.window = std::max(llama_model_n_swa(model), 0);
  // A window that is as long as the context drops nothing.
  kind.window_only = kind.window > 0 && kind.window < options.context_size && !options.swa_full;
  kind.checkpoint_bytes = options.checkpoint_bytes;
  return kind;
}

ContextOptions draft_options(const Model& draft, const ContextOptions& options) {
  ContextOptions its;
  const int32_t trained = std::max(llama_model_n_ctx_train(draft.handle()), 1);
  its.context_size = std::min(options.context_size, trained);
  if (draft.position_count() > 0)
    its.context_size = std::min(its.context_size, draft.position_count());
  its.kv_cache_size = its.context_size;
  its.batch_size = options.micro_batch_size;
  its.micro_batch_size = options.micro_batch_size;
  its.flash_attention = options.flash_attention;
  its.drafted_tokens = 1;  // it drops them, too
  check_ability(draft, its);
  return its;
}

llama_context_params generation_params(const ContextOptions& options) {
  llama_context_params params = llama_context_default_params();
  // In a per-sequence cache every stream has an equal share of the cells.
  params.n_ctx = static_cast<uint32_t>(
      options.unified_kv_cache ? options.kv_cache_size : options.context_size * options.sequences);
  params.n_seq_max = static_cast<uint32_t>(options.sequences);
  // A batch holds at least one token of every sequence, a micro-batch is no larger than it.
  params.n_batch = std::max(static_cast<uint32_t>(options.batch_size), params.n_seq_max);
  params.n_ubatch = std::min(static_cast<uint32_t>(options.micro_batch_size), params.n_batch);
  // Each sequence's last token beside one whole score: see Limits::outputs.
  const auto scoring = static_cast<uint32_t>(options.sequences + command::kMostRowsOfScore);
  const uint32_t rows = std::max({wanted_rows(options), kRowsOfLogits, scoring});
  params.n_outputs_max = std::min((rows + 15) / 16 * 16, params.n_batch);
  params.kv_unified = options.unified_kv_cache;
  params.swa_full = options.swa_full;
  return params;
}

void add_common_params(const ContextOptions& options, llama_context_params& params) {
  params.flash_attn_type = options.flash_attention;
  params.type_k = options.kv_cache_type_key;
  params.type_v = options.kv_cache_type_value;
  params.rope_freq_base = options.rope_frequency_base;
  params.rope_freq_scale = options.rope_frequency_scale;
}

MemoryBreakdown measure_context(const Model& model, const ContextOptions& options,
                                const std::function<bool()>& goes_on) {
  check_ability(model, options);
  const ModelOutline& outline = model.outline(goes_on);
  if (!goes_on()) throw Error(code::kDisposed, "The measurement was stopped.");
  if (options.sequences <= kFewSequences ||
      bytes_of_states(model, outline, options) <= kMostBytesOfStates) {
    return measure_cells(model, outline, options);
  }
  const ContextOptions less = with_sequences(options, kFewSequences / 2);
  const ContextOptions more = with_sequences(options, kFewSequences);
  return extended(measure_cells(model, outline, less), measure_cells(model, outline, more),
                  less.sequences, more.sequences, options.sequences);
}

uint64_t measure_checkpoints(const Model& model, const ContextOptions& options,
                             const std::function<bool()>& goes_on) {
  if (options.embeddings) return 0;
  const ModelOutline& outline = model.outline(goes_on);
  const MemoryKind kind = memory_kind(outline.handle(), options);
  if (!kind.has_checkpoints()) return 0;
  const auto sequences = static_cast<uint64_t>(options.sequences);
  uint64_t one = bytes_of_states(model, outline, options) / sequences;
  if (kind.window_only) one += bytes_of_window(model, outline, options, kind.window);
  return std::min(kind.checkpoint_bytes, one * sequences * Checkpoints::kMostOfSlot);
}

}  // namespace cria
