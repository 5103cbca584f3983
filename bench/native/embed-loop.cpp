// What evaluating texts costs at the least: llama.cpp's own prefill, in full batches.
//
//   embed-loop MODEL TEXTS THREADS MICRO_BATCH SEQUENCES REPETITIONS
//
// TEXTS is a file of texts, each ended by a NUL byte. They are tokenized beforehand, packed in
// their order as many as fit into a micro-batch, and evaluated, each in a sequence of its own, from
// an empty cache. Only the last token of a batch gets logits, and nothing is read. One line of
// JSON: how many tokens there are, and each repetition's milliseconds.

#include <llama.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "program.h"

namespace {

using Tokens = std::vector<llama_token>;

struct Limits {
  int32_t threads;
  int32_t micro_batch;
  int32_t sequences;
};

std::vector<Tokens> read_texts(const llama_vocab* vocab, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  std::vector<Tokens> texts;
  size_t start = 0;
  for (size_t end; (end = all.find('\0', start)) != std::string::npos; start = end + 1) {
    Tokens tokens(end - start + 8);
    const int32_t count =
        llama_tokenize(vocab, all.data() + start, static_cast<int32_t>(end - start), tokens.data(),
                       static_cast<int32_t>(tokens.size()), true, false);
    if (count < 0) throw std::runtime_error("llama_tokenize failed");
    tokens.resize(count);
    texts.push_back(std::move(tokens));
  }
  if (texts.empty()) throw std::runtime_error("no texts in " + path);
  return texts;
}

ContextPtr make_context(llama_model* model, const Limits& limits) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = limits.micro_batch;
  params.n_batch = limits.micro_batch;
  params.n_ubatch = limits.micro_batch;
  params.n_seq_max = limits.sequences;
  params.n_threads = limits.threads;
  params.n_threads_batch = limits.threads;
  params.kv_unified = true;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  return {llama_init_from_model(model, params), llama_free};
}

void evaluate(llama_context* context, llama_batch& batch) {
  if (batch.n_tokens == 0) return;
  batch.logits[batch.n_tokens - 1] = 1;
  llama_memory_clear(llama_get_memory(context), false);
  if (llama_decode(context, batch) != 0) throw std::runtime_error("llama_decode failed");
  llama_synchronize(context);
  batch.n_tokens = 0;
}

void evaluate_all(llama_context* context, const std::vector<Tokens>& texts, const Limits& limits,
                  llama_batch& batch) {
  int32_t sequence = 0;
  for (const Tokens& text : texts) {
    const auto count = static_cast<int32_t>(text.size());
    if (count > limits.micro_batch) throw std::runtime_error("a text is too long");
    if (batch.n_tokens + count > limits.micro_batch || sequence == limits.sequences) {
      evaluate(context, batch);
      sequence = 0;
    }
    for (int32_t i = 0; i < count; ++i) {
      const int32_t at = batch.n_tokens++;
      batch.token[at] = text[i];
      batch.pos[at] = i;
      batch.n_seq_id[at] = 1;
      batch.seq_id[at][0] = sequence;
      batch.logits[at] = 0;
    }
    ++sequence;
  }
  evaluate(context, batch);
}

void run(const std::vector<std::string>& args) {
  if (args.size() != 6) throw std::runtime_error("expected 6 arguments");
  const Limits limits{std::stoi(args[2]), std::stoi(args[3]), std::stoi(args[4])};
  const int repetitions = std::stoi(args[5]);
  const ModelPtr model(llama_model_load_from_file(args[0].c_str(), llama_model_default_params()),
                       llama_model_free);
  if (!model) throw std::runtime_error("cannot load " + args[0]);
  const std::vector<Tokens> texts = read_texts(llama_model_get_vocab(model.get()), args[1]);
  const ContextPtr context = make_context(model.get(), limits);
  if (!context) throw std::runtime_error("cannot create a context");
  llama_batch batch = llama_batch_init(limits.micro_batch, 0, 1);

  size_t tokens = 0;
  for (const Tokens& text : texts)
    tokens += text.size();
  evaluate_all(context.get(), texts, limits, batch);  // warm-up
  std::printf("{\"tokens\":%zu,\"milliseconds\":[", tokens);
  for (int i = 0; i < repetitions; ++i) {
    const Clock::time_point start = Clock::now();
    evaluate_all(context.get(), texts, limits, batch);
    const std::chrono::duration<double, std::milli> time = Clock::now() - start;
    std::printf("%s%.6f", i == 0 ? "" : ",", time.count());
  }
  std::printf("]}\n");
  llama_batch_free(batch);
}

}  // namespace

int main(int argc, char** argv) { return run_program("embed-loop", argc, argv, run); }
