// The least that a generation costs: llama_decode and an argmax per token, nothing else.
//
//   decode-loop MODEL TOKENS_MAX REPETITIONS
//
// Greedy, from a BOS, until the model ends it, on one thread, in a context like the one that
// bench/works/binding.mjs makes. One line of JSON: how many tokens each repetition gave (the one
// that ended it included), and its milliseconds.

#include <llama.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "program.h"

namespace {

ContextPtr make_context(llama_model* model) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 512;
  params.n_batch = 512;
  params.n_ubatch = 512;
  params.n_seq_max = 1;
  params.n_threads = 1;
  params.n_threads_batch = 1;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  return {llama_init_from_model(model, params), llama_free};
}

llama_token likeliest(const float* logits, int32_t count) {
  llama_token best = 0;
  for (llama_token token = 1; token < count; ++token) {
    if (logits[token] > logits[best]) best = token;
  }
  return best;
}

int generate(llama_context* context, const llama_vocab* vocab, int tokens_max) {
  llama_memory_clear(llama_get_memory(context), true);
  llama_token token = llama_vocab_bos(vocab);
  int count = 0;
  while (count < tokens_max) {
    if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0) {
      throw std::runtime_error("llama_decode failed");
    }
    token = likeliest(llama_get_logits_ith(context, -1), llama_vocab_n_tokens(vocab));
    ++count;
    if (llama_vocab_is_eog(vocab, token)) break;
  }
  return count;
}

void run(const std::vector<std::string>& args) {
  if (args.size() != 3) throw std::runtime_error("expected 3 arguments");
  const int tokens_max = std::stoi(args[1]);
  const int repetitions = std::stoi(args[2]);
  const ModelPtr model(llama_model_load_from_file(args[0].c_str(), llama_model_default_params()),
                       llama_model_free);
  if (!model) throw std::runtime_error("cannot load " + args[0]);
  const ContextPtr context = make_context(model.get());
  if (!context) throw std::runtime_error("cannot create a context");
  const llama_vocab* vocab = llama_model_get_vocab(model.get());

  const int tokens = generate(context.get(), vocab, tokens_max);  // warm-up
  std::printf("{\"tokens\":%d,\"milliseconds\":[", tokens);
  for (int i = 0; i < repetitions; ++i) {
    const Clock::time_point start = Clock::now();
    generate(context.get(), vocab, tokens_max);
    const std::chrono::duration<double, std::milli> time = Clock::now() - start;
    std::printf("%s%.6f", i == 0 ? "" : ",", time.count());
  }
  std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) { return run_program("decode-loop", argc, argv, run); }
