// The least that many requests with a beginning in common cost: the beginning is evaluated once and
// copied to every sequence, the rest of as many prompts as there are sequences together, then a
// token of each per llama_decode and an argmax.
//
//   batch-loop MODEL PROMPTS SEQUENCES TOKENS CONTEXT_SIZE THREADS BATCH MICRO_BATCH FLASH TYPE
//
// PROMPTS: a file with the length of the common beginning in its first line, and the ids of a
// prompt in every other. One line of JSON: the milliseconds from the first evaluation to the last
// token, and how many tokens were generated.

#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "program.h"

namespace {

using Tokens = std::vector<llama_token>;

struct Requests {
  int32_t shared = 0;
  std::vector<Tokens> prompts;
};

Requests read(const std::string& path) {
  std::ifstream file(path);
  Requests requests;
  std::string line;
  if (!std::getline(file, line)) throw std::runtime_error("cannot read " + path);
  requests.shared = std::stoi(line);
  while (std::getline(file, line)) {
    std::istringstream ids(line);
    Tokens prompt;
    for (llama_token id = 0; ids >> id;)
      prompt.push_back(id);
    if (static_cast<int32_t>(prompt.size()) <= requests.shared)
      throw std::runtime_error("a prompt is no longer than what all have in common");
    requests.prompts.push_back(prompt);
  }
  return requests;
}

// Rows for one llama_decode.
class Rows {
 public:
  explicit Rows(int32_t most) : batch_(llama_batch_init(most, 0, 1)) {}
  ~Rows() { llama_batch_free(batch_); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  // Its row, for the logits.
  int32_t add(llama_token token, llama_pos position, llama_seq_id sequence, bool logits) {
    const int32_t row = batch_.n_tokens++;
    batch_.token[row] = token;
    batch_.pos[row] = position;
    batch_.n_seq_id[row] = 1;
    batch_.seq_id[row][0] = sequence;
    batch_.logits[row] = logits ? 1 : 0;
    return row;
  }
  void decode(llama_context* context) {
    if (llama_decode(context, batch_) != 0) throw std::runtime_error("llama_decode failed");
  }
  void clear() { batch_.n_tokens = 0; }

 private:
  llama_batch batch_;
};

llama_token likeliest(const float* logits, int32_t count) {
  return static_cast<llama_token>(std::max_element(logits, logits + count) - logits);
}

// As many requests as there are sequences, in step.
int round(llama_context* context, Rows& rows, const Requests& requests, size_t begin, size_t end,
          int tokens) {
  const llama_vocab* vocab = llama_model_get_vocab(llama_get_model(context));
  const int32_t vocabulary = llama_vocab_n_tokens(vocab);
  llama_memory_t memory = llama_get_memory(context);
  const auto count = static_cast<int32_t>(end - begin);
  std::vector<int32_t> output(end - begin);
  rows.clear();
  for (int32_t i = 0; i < count; ++i) {
    const Tokens& prompt = requests.prompts[begin + static_cast<size_t>(i)];
    const auto length = static_cast<int32_t>(prompt.size());
    llama_memory_seq_rm(memory, i, requests.shared, -1);
    for (int32_t at = requests.shared; at < length; ++at) {
      output[static_cast<size_t>(i)] =
          rows.add(prompt[static_cast<size_t>(at)], at, i, at == length - 1);
    }
  }
  rows.decode(context);
  for (int step = 1; step < tokens; ++step) {
    Tokens next;
    for (const int32_t row : output)
      next.push_back(likeliest(llama_get_logits_ith(context, row), vocabulary));
    rows.clear();
    for (int32_t i = 0; i < count; ++i) {
      const auto index = static_cast<size_t>(i);
      const auto length = static_cast<int32_t>(requests.prompts[begin + index].size());
      output[index] = rows.add(next[index], length + step - 1, i, true);
    }
    rows.decode(context);
  }
  for (const int32_t row : output)
    likeliest(llama_get_logits_ith(context, row), vocabulary);
  return count * tokens;
}

void share(llama_context* context, Rows& rows, const Requests& requests, int32_t sequences) {
  for (int32_t at = 0; at < requests.shared; ++at)
    rows.add(requests.prompts[0][static_cast<size_t>(at)], at, 0, at == requests.shared - 1);
  rows.decode(context);
  for (int32_t i = 1; i < sequences; ++i)
    llama_memory_seq_cp(llama_get_memory(context), 0, i, -1, -1);
}

ggml_type type_of(const std::string& name) {
  if (name == "f16") return GGML_TYPE_F16;
  if (name == "f32") return GGML_TYPE_F32;
  throw std::runtime_error("unknown type " + name);
}

void run(const std::vector<std::string>& args) {
  if (args.size() != 10) throw std::runtime_error("expected 10 arguments");
  const Requests requests = read(args[1]);
  const int32_t sequences = std::stoi(args[2]);
  const int tokens = std::stoi(args[3]);
  const ModelPtr model(llama_model_load_from_file(args[0].c_str(), llama_model_default_params()),
                       llama_model_free);
  if (!model) throw std::runtime_error("cannot load " + args[0]);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(std::stoi(args[4]) * sequences);
  params.n_seq_max = static_cast<uint32_t>(sequences);
  params.n_threads = params.n_threads_batch = std::stoi(args[5]);
  params.n_batch = static_cast<uint32_t>(std::stoi(args[6]));
  params.n_ubatch = static_cast<uint32_t>(std::stoi(args[7]));
  params.flash_attn_type =
      args[8] == "1" ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.type_k = params.type_v = type_of(args[9]);
  params.kv_unified = false;
  const ContextPtr context(llama_init_from_model(model.get(), params), llama_free);
  if (!context) throw std::runtime_error("cannot create a context");

  Rows rows(static_cast<int32_t>(params.n_batch));
  rows.add(requests.prompts[0].back(), 0, 0, true);  // warm-up
  rows.decode(context.get());
  rows.clear();
  llama_memory_clear(llama_get_memory(context.get()), true);

  const Clock::time_point start = Clock::now();
  share(context.get(), rows, requests, sequences);
  int generated = 0;
  const auto width = static_cast<size_t>(sequences);
  for (size_t begin = 0; begin < requests.prompts.size(); begin += width) {
    const size_t end = std::min(begin + width, requests.prompts.size());
    generated += round(context.get(), rows, requests, begin, end, tokens);
  }
  const std::chrono::duration<double, std::milli> time = Clock::now() - start;
  std::printf("{\"milliseconds\":%.6f,\"generated\":%d}\n", time.count(), generated);
}

}  // namespace

int main(int argc, char** argv) { return run_program("batch-loop", argc, argv, run); }
