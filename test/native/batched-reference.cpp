// Greedy decoding of many sequences in one context, as plainly as llama.h allows: every prompt
// alone, one after the other, then the next tokens of all that go on in one batch. Beside it, how
// far a given text is from the greedy one. Shares no code with native/.
//
//   cria-batched-reference greedy MODEL CTX UBATCH FA N TYPE SWA
//   cria-batched-reference gaps   MODEL CTX UBATCH FA 0 TYPE SWA
//   cria-batched-reference logits MODEL CTX UBATCH FA 0 TYPE SWA
//
// Stdin: a line of token ids for each prompt, for gaps of prompt ids | generated ids. CTX:
// positions of each sequence. FA: with flash attention (1) or without (0). TYPE: of the cache, f16
// or f32. SWA: a full sliding-window cache (1) or a small one (0). One JSON object on stdout:
// "tokens", a list for each prompt, the token that ended it included; "logits", those behind each
// prompt, which is evaluated alone; or "gaps", for each line how far the logit of a generated token
// is, at worst, below the highest when the prompt and these tokens are evaluated alone. One thread.
// Exit status: 0 done, 1 failed (the reason is on stderr).

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "llama.h"

namespace {

using Ids = std::vector<llama_token>;

struct Line {
  Ids prompt;
  Ids generated;
};

std::vector<Line> read_lines() {
  std::vector<Line> lines;
  for (std::string text; std::getline(std::cin, text);) {
    Line line;
    std::istringstream words(text);
    Ids* ids = &line.prompt;
    for (std::string word; words >> word;) {
      if (word == "|") {
        ids = &line.generated;
      } else {
        ids->push_back(std::stoi(word));
      }
    }
    if (line.prompt.empty()) throw std::runtime_error("a prompt needs at least one token");
    lines.push_back(std::move(line));
  }
  return lines;
}

class Engine {
 public:
  Engine(const std::string& path, int context_size, int micro_batch, bool flash, int sequences,
         ggml_type type, bool swa_full)
      : model_(llama_model_load_from_file(path.c_str(), llama_model_default_params()),
               llama_model_free) {
    if (!model_) throw std::runtime_error("cannot load " + path);
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(context_size * sequences);
    params.n_seq_max = static_cast<uint32_t>(sequences);
    params.flash_attn_type = flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.n_batch = static_cast<uint32_t>(std::max(micro_batch, sequences));
    params.n_ubatch = static_cast<uint32_t>(micro_batch);
    params.n_threads = 1;
    params.n_threads_batch = 1;
    params.kv_unified = false;
    params.swa_full = swa_full;
    params.type_k = params.type_v = type;
    context_.reset(llama_init_from_model(model_.get(), params));
    if (!context_) throw std::runtime_error("cannot create a context");
    micro_batch_ = micro_batch;
  }

  struct Token {
    llama_token id;
    llama_pos position;
    llama_seq_id sequence;
    bool output;
  };

  void decode(const std::vector<Token>& tokens) {
    const auto count = static_cast<int32_t>(tokens.size());
    llama_batch batch = llama_batch_init(count, 0, 1);
    batch.n_tokens = count;
    for (int32_t i = 0; i < count; ++i) {
      const Token& token = tokens[static_cast<size_t>(i)];
      batch.token[i] = token.id;
      batch.pos[i] = token.position;
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = token.sequence;
      batch.logits[i] = token.output ? 1 : 0;
    }
    const int32_t status = llama_decode(context_.get(), batch);
    llama_batch_free(batch);
    if (status != 0) throw std::runtime_error("llama_decode: " + std::to_string(status));
  }

  // Leaves the logits behind it as the only ones.
  void prefill(const Ids& prompt, llama_seq_id sequence) {
    std::vector<Token> tokens;
    for (size_t i = 0; i < prompt.size(); ++i) {
      const bool last = i + 1 == prompt.size();
      tokens.push_back({prompt[i], static_cast<llama_pos>(i), sequence, last});
      if (!last && static_cast<int>(tokens.size()) < micro_batch_) continue;
      decode(tokens);
      tokens.clear();
    }
  }

  const float* logits(int row) const { return llama_get_logits_ith(context_.get(), row); }
  llama_token likeliest(int row) const {
    const float* all = logits(row);
    return static_cast<llama_token>(std::max_element(all, all + vocabulary_size()) - all);
  }
  bool ends(llama_token token) const { return llama_vocab_is_eog(vocabulary(), token); }
  void clear() { llama_memory_clear(llama_get_memory(context_.get()), true); }

  int vocabulary_size() const { return llama_vocab_n_tokens(vocabulary()); }

 private:
  const llama_vocab* vocabulary() const { return llama_model_get_vocab(model_.get()); }
  std::unique_ptr<llama_model, decltype(&llama_model_free)> model_;
  std::unique_ptr<llama_context, decltype(&llama_free)> context_{nullptr, llama_free};
  int micro_batch_ = 0;
};

std::vector<Ids> greedy(Engine& engine, const std::vector<Line>& lines, size_t most) {
  std::vector<Ids> generated(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    engine.prefill(lines[i].prompt, static_cast<llama_seq_id>(i));
    generated[i].push_back(engine.likeliest(-1));
  }
  while (true) {
    std::vector<Engine::Token> next;
    for (size_t i = 0; i < lines.size(); ++i) {
      const Ids& ids = generated[i];
      if (ids.size() == most || engine.ends(ids.back())) continue;
      const auto position = static_cast<llama_pos>(lines[i].prompt.size() + ids.size()) - 1;
      next.push_back({ids.back(), position, static_cast<llama_seq_id>(i), true});
    }
    if (next.empty()) return generated;
    engine.decode(next);
    for (size_t row = 0; row < next.size(); ++row) {
      generated[static_cast<size_t>(next[row].sequence)].push_back(
          engine.likeliest(static_cast<int>(row)));
    }
  }
}

float gap(Engine& engine, const Line& line) {
  engine.clear();
  engine.prefill(line.prompt, 0);
  float worst = 0;
  auto position = static_cast<llama_pos>(line.prompt.size());
  for (const llama_token token : line.generated) {
    const float* logits = engine.logits(-1);
    worst = std::max(worst, logits[engine.likeliest(-1)] - logits[token]);
    if (&token != &line.generated.back()) engine.decode({{token, position++, 0, true}});
  }
  return worst;
}

void run(const std::vector<std::string>& args) {
  if (args.size() != 8) {
    throw std::runtime_error("expected a command, a model, CTX, UBATCH, FA, N, TYPE and SWA");
  }
  const std::vector<Line> lines = read_lines();
  const bool gaps = args[0] == "gaps";
  const bool logits = args[0] == "logits";
  Engine engine(args[1], std::stoi(args[2]), std::stoi(args[3]), std::stoi(args[4]) != 0,
                gaps || logits ? 1 : static_cast<int>(lines.size()),
                args[6] == "f32" ? GGML_TYPE_F32 : GGML_TYPE_F16, args[7] == "1");
  std::ostringstream json;
  const char* comma = "";
  if (gaps) {
    for (const Line& line : lines) {
      json << comma << gap(engine, line);
      comma = ",";
    }
  } else if (logits) {
    json.precision(9);  // as many digits as tell any two floats apart
    for (const Line& line : lines) {
      engine.clear();
      engine.prefill(line.prompt, 0);
      json << comma << '[';
      for (int i = 0; i < engine.vocabulary_size(); ++i)
        json << (i > 0 ? "," : "") << engine.logits(-1)[i];
      json << ']';
      comma = ",";
    }
  } else {
    for (const Ids& ids : greedy(engine, lines, static_cast<size_t>(std::stoi(args[5])))) {
      json << comma << '[';
      for (size_t i = 0; i < ids.size(); ++i)
        json << (i > 0 ? "," : "") << ids[i];
      json << ']';
      comma = ",";
    }
  }
  std::printf("{\"%s\":[%s]}\n", gaps ? "gaps" : logits ? "logits" : "tokens", json.str().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_backend_init();
  int status = 0;
  try {
    run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cria-batched-reference: %s\n", error.what());
    status = 1;
  }
  llama_backend_free();
  return status;
}
