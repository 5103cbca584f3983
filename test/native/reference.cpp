// What llama.cpp itself says, for the tests to compare cria with: a plain program over llama.h that
// shares no code with native/, batches nothing and optimises nothing.
//
//   cria-reference tokenize MODEL [--special] [--bos]    stdin: texts, each ended by a NUL byte
//   cria-reference greedy   MODEL [--n N]                stdin: a line of token ids per prompt
//   cria-reference logits   MODEL --output FILE [--last] stdin: one line of token ids
//
// greedy also takes --lora FILE, as often as wanted, with --lora-scale SCALE behind each, and
// --lora-from N: the first token of the prompt that they count for; and --control FILE: float32, as
// llama_set_adapter_cvec takes them for all layers.
// greedy and logits also take --ctx, --threads, --ubatch, --fa auto|on|off, --type-k and --type-v.
// The answer is one JSON object on stdout; logits go to FILE as float32, one row per position.
// Exit status: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "llama.h"

namespace {

using Ids = std::vector<llama_token>;
using ModelPtr = std::unique_ptr<llama_model, decltype(&llama_model_free)>;
using ContextPtr = std::unique_ptr<llama_context, decltype(&llama_free)>;

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string command;
  std::string model;
  std::string output;
  bool special = false;
  bool bos = false;
  bool last = false;
  int n = 64;
  int ctx = 0;  // 0: as much as the prompt and n need
  int threads = 2;
  int ubatch = 512;
  llama_flash_attn_type fa = LLAMA_FLASH_ATTN_TYPE_AUTO;
  ggml_type type_k = GGML_TYPE_F16;
  ggml_type type_v = GGML_TYPE_F16;
  std::vector<std::string> loras;
  std::vector<float> lora_scales;
  int lora_from = 0;
  std::string control;
};

ggml_type parse_type(const std::string& name) {
  const ggml_type types[] = {GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16,
                             GGML_TYPE_Q8_0, GGML_TYPE_Q5_1, GGML_TYPE_Q5_0,
                             GGML_TYPE_Q4_1, GGML_TYPE_Q4_0, GGML_TYPE_IQ4_NL};
  for (const ggml_type type : types) {
    if (name == ggml_type_name(type)) return type;
  }
  throw UsageError("not a cache type: " + name);
}

llama_flash_attn_type parse_flash_attention(const std::string& name) {
  if (name == "auto") return LLAMA_FLASH_ATTN_TYPE_AUTO;
  if (name == "on") return LLAMA_FLASH_ATTN_TYPE_ENABLED;
  if (name == "off") return LLAMA_FLASH_ATTN_TYPE_DISABLED;
  throw UsageError("--fa is auto, on or off, not " + name);
}

int parse_count(const std::string& text) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < 1 || value > 1 << 24) {
    throw UsageError("not a positive number: " + text);
  }
  return static_cast<int>(value);
}

Options parse_options(const std::vector<std::string>& args) {
  if (args.size() < 2) throw UsageError("expected a command and a model");
  Options options;
  options.command = args[0];
  options.model = args[1];
  for (size_t i = 2; i < args.size(); ++i) {
    const std::string& flag = args[i];
    if (flag == "--special") {
      options.special = true;
    } else if (flag == "--bos") {
      options.bos = true;
    } else if (flag == "--last") {
      options.last = true;
    } else if (i + 1 == args.size()) {
      throw UsageError("unknown flag, or its value is missing: " + flag);
    } else if (flag == "--n") {
      options.n = parse_count(args[++i]);
    } else if (flag == "--ctx") {
      options.ctx = parse_count(args[++i]);
    } else if (flag == "--threads") {
      options.threads = parse_count(args[++i]);
    } else if (flag == "--ubatch") {
      options.ubatch = parse_count(args[++i]);
    } else if (flag == "--fa") {
      options.fa = parse_flash_attention(args[++i]);
    } else if (flag == "--type-k") {
      options.type_k = parse_type(args[++i]);
    } else if (flag == "--type-v") {
      options.type_v = parse_type(args[++i]);
    } else if (flag == "--lora") {
      options.loras.push_back(args[++i]);
      options.lora_scales.push_back(1);
    } else if (flag == "--lora-scale") {
      if (options.loras.empty()) throw UsageError("--lora-scale belongs behind a --lora");
      options.lora_scales.back() = std::strtof(args[++i].c_str(), nullptr);
    } else if (flag == "--lora-from") {
      options.lora_from = parse_count(args[++i]);
    } else if (flag == "--control") {
      options.control = args[++i];
    } else if (flag == "--output") {
      options.output = args[++i];
    } else {
      throw UsageError("unknown flag: " + flag);
    }
  }
  return options;
}

std::string read_stdin() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

// Terminated, not separated: so that no text at all and one empty text differ.
std::vector<std::string> split_texts(const std::string& input) {
  std::vector<std::string> texts;
  size_t start = 0;
  for (size_t end; (end = input.find('\0', start)) != std::string::npos; start = end + 1) {
    texts.push_back(input.substr(start, end - start));
  }
  if (start != input.size()) throw UsageError("the last text on stdin has no NUL byte at its end");
  return texts;
}

Ids parse_ids(const std::string& line) {
  std::istringstream stream(line);
  Ids ids;
  for (llama_token id; stream >> id;)
    ids.push_back(id);
  if (!stream.eof()) throw UsageError("not a line of token ids: " + line);
  return ids;
}

std::vector<Ids> split_prompts(const std::string& input) {
  std::istringstream stream(input);
  std::vector<Ids> prompts;
  for (std::string line; std::getline(stream, line);)
    prompts.push_back(parse_ids(line));
  return prompts;
}

void print_lists(const std::vector<Ids>& lists) {
  std::string json = "{\"tokens\":[";
  for (const Ids& ids : lists) {
    if (json.back() != '[') json += ',';
    json += '[';
    for (const llama_token id : ids) {
      if (json.back() != '[') json += ',';
      json += std::to_string(id);
    }
    json += ']';
  }
  json += "]}\n";
  std::fwrite(json.data(), 1, json.size(), stdout);
}

ModelPtr load_model(const Options& options, bool vocab_only) {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = vocab_only;
  ModelPtr model(llama_model_load_from_file(options.model.c_str(), params), llama_model_free);
  if (!model) throw std::runtime_error("cannot load " + options.model);
  return model;
}

ContextPtr create_context(llama_model* model, const Options& options, size_t tokens) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.ctx > 0 ? options.ctx : tokens;
  if (params.n_ctx < tokens) throw std::runtime_error("--ctx is too small for prompt and --n");
  params.n_batch = options.ubatch;
  params.n_ubatch = options.ubatch;
  params.n_threads = options.threads;
  params.n_threads_batch = options.threads;
  params.flash_attn_type = options.fa;
  params.type_k = options.type_k;
  params.type_v = options.type_v;
  ContextPtr context(llama_init_from_model(model, params), llama_free);
  if (!context) throw std::runtime_error("cannot create a context");
  return context;
}

// Positions go on from what the context holds. The caller owns nothing of the batch afterwards.
void decode(llama_context* context, const llama_token* ids, int count, int position, bool all) {
  llama_batch batch = llama_batch_init(count, 0, 1);
  batch.n_tokens = count;
  for (int i = 0; i < count; ++i) {
    batch.token[i] = ids[i];
    batch.pos[i] = position + i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = all || i == count - 1;
  }
  const int status = llama_decode(context, batch);
  llama_batch_free(batch);
  if (status != 0) throw std::runtime_error("llama_decode: " + std::to_string(status));
}

void require_prompt(const Ids& prompt) {
  if (prompt.empty()) throw UsageError("a prompt needs at least one token");
}

Ids tokenize(const llama_vocab* vocab, const std::string& text, const Options& options) {
  const auto length = static_cast<int32_t>(text.size());
  Ids ids(text.size() + 2);
  const int32_t count =
      llama_tokenize(vocab, text.data(), length, ids.data(), static_cast<int32_t>(ids.size()),
                     options.bos, options.special);
  if (count < 0) throw std::runtime_error("llama_tokenize: " + std::to_string(count));
  ids.resize(count);
  return ids;
}

// They are freed with the model.
std::vector<llama_adapter_lora*> load_loras(llama_model* model, const Options& options) {
  std::vector<llama_adapter_lora*> loras;
  for (const std::string& path : options.loras) {
    loras.push_back(llama_adapter_lora_init(model, path.c_str()));
    if (loras.back() == nullptr) throw std::runtime_error("cannot load " + path);
  }
  return loras;
}

void set_control(llama_context* context, const llama_model* model, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  if (llama_set_adapter_cvec(context, values.data(), values.size(), llama_model_n_embd(model), 1,
                             llama_model_n_layer(model)) != 0) {
    throw std::runtime_error("llama_set_adapter_cvec failed");
  }
}

Ids greedy(llama_model* model, const Ids& prompt, const Options& options) {
  require_prompt(prompt);
  const llama_vocab* vocab = llama_model_get_vocab(model);
  const int vocabulary = llama_vocab_n_tokens(vocab);
  const ContextPtr context = create_context(model, options, prompt.size() + options.n);
  if (!options.control.empty()) set_control(context.get(), model, options.control);
  std::vector<llama_adapter_lora*> loras = load_loras(model, options);
  std::vector<float> scales = options.lora_scales;
  int position = 0;
  for (const int total = static_cast<int>(prompt.size()); position < total;) {
    const bool before = position < options.lora_from;
    if (!before) {
      llama_set_adapters_lora(context.get(), loras.data(), loras.size(), scales.data());
    }
    const int end = before ? std::min(options.lora_from, total) : total;
    const int count = std::min(options.ubatch, end - position);
    decode(context.get(), prompt.data() + position, count, position, false);
    position += count;
  }
  Ids generated;
  while (true) {
    const float* logits = llama_get_logits_ith(context.get(), -1);
    const auto best =
        static_cast<llama_token>(std::max_element(logits, logits + vocabulary) - logits);
    generated.push_back(best);
    if (llama_vocab_is_eog(vocab, best) || static_cast<int>(generated.size()) == options.n) break;
    decode(context.get(), &best, 1, position++, false);
  }
  return generated;
}

void logits(llama_model* model, const Ids& prompt, const Options& options) {
  require_prompt(prompt);
  if (options.output.empty()) throw UsageError("logits needs --output FILE");
  const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
  const ContextPtr context = create_context(model, options, prompt.size());
  std::ofstream file(options.output, std::ios::binary);
  int rows = 0;
  for (int position = 0, total = static_cast<int>(prompt.size()); position < total;) {
    const int count = std::min(options.ubatch, total - position);
    decode(context.get(), prompt.data() + position, count, position, true);
    position += count;
    for (int i = options.last ? count - 1 : 0; i < count; ++i) {
      if (options.last && position < total) break;
      const float* row = llama_get_logits_ith(context.get(), i);
      file.write(reinterpret_cast<const char*>(row), sizeof(float) * vocabulary);
      ++rows;
    }
  }
  file.close();
  if (!file) throw std::runtime_error("cannot write " + options.output);
  std::printf("{\"rows\":%d,\"vocabularySize\":%d}\n", rows, vocabulary);
}

void run(const Options& options) {
  const bool tokenizing = options.command == "tokenize";
  if (!tokenizing && options.command != "greedy" && options.command != "logits") {
    throw UsageError("the command is tokenize, greedy or logits, not " + options.command);
  }
  const std::string input = read_stdin();
  const ModelPtr model = load_model(options, tokenizing);
  std::vector<Ids> lists;
  if (tokenizing) {
    for (const std::string& text : split_texts(input)) {
      lists.push_back(tokenize(llama_model_get_vocab(model.get()), text, options));
    }
    print_lists(lists);
  } else if (options.command == "greedy") {
    for (const Ids& prompt : split_prompts(input)) {
      lists.push_back(greedy(model.get(), prompt, options));
    }
    print_lists(lists);
  } else {
    logits(model.get(), parse_ids(input), options);
  }
}

}  // namespace

int main(int argc, char** argv) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  int status = 0;
  llama_backend_init();
  try {
    run(parse_options({argv + 1, argv + argc}));
  } catch (const UsageError& error) {
    std::fprintf(stderr, "cria-reference: %s\n", error.what());
    status = 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cria-reference: %s\n", error.what());
    status = 1;
  }
  llama_backend_free();
  return status;
}
