// The vectors that llama.cpp itself makes of texts, one at a time, for the tests to compare cria
// with: a plain program over llama.h that shares no code with native/.
//
//   cria-embed-reference MODEL OUTPUT POOLING TYPE     stdin: texts, each ended by a NUL byte
//
// POOLING is none, mean, cls, last or rank, where the texts are pairs: a query, then a document.
// TYPE is the cache's, f16 or f32, this one without flash attention, which rounds keys and values
// to 16 bits. OUTPUT gets float32, as llama.cpp gives them: a vector for each text, with "none" one
// for each token, with "rank" one number. Stdout has one line of JSON: the tokens of each text. One
// thread.

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "llama.h"

namespace {

using Ids = std::vector<llama_token>;
using ModelPtr = std::unique_ptr<llama_model, decltype(&llama_model_free)>;
using ContextPtr = std::unique_ptr<llama_context, decltype(&llama_free)>;

std::vector<std::string> read_texts() {
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  std::vector<std::string> texts;
  size_t start = 0;
  for (size_t end; (end = input.find('\0', start)) != std::string::npos; start = end + 1)
    texts.push_back(input.substr(start, end - start));
  return texts;
}

Ids tokenize(const llama_vocab* vocab, const std::string& text, bool frame) {
  Ids ids(text.size() + 8);
  const int32_t count =
      llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), ids.data(),
                     static_cast<int32_t>(ids.size()), frame, /*parse_special=*/false);
  if (count < 0) throw std::runtime_error("llama_tokenize failed");
  ids.resize(count);
  return ids;
}

// A query and a document with what the vocabulary asks for around them.
Ids pair(const llama_vocab* vocab, const std::string& query, const std::string& document) {
  Ids ids;
  const auto add = [&](const Ids& more) { ids.insert(ids.end(), more.begin(), more.end()); };
  const bool ends = llama_vocab_get_add_eos(vocab);
  if (llama_vocab_get_add_bos(vocab)) add({llama_vocab_bos(vocab)});
  add(tokenize(vocab, query, false));
  if (ends) add({llama_vocab_eos(vocab)});
  if (llama_vocab_get_add_sep(vocab)) add({llama_vocab_sep(vocab)});
  add(tokenize(vocab, document, false));
  if (ends) add({llama_vocab_eos(vocab)});
  return ids;
}

ContextPtr make_context(llama_model* model, uint32_t tokens, enum llama_pooling_type pooling,
                        ggml_type type) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = tokens;
  params.n_batch = tokens;
  params.n_ubatch = tokens;
  params.n_threads = 1;
  params.n_threads_batch = 1;
  params.embeddings = true;
  params.pooling_type = pooling;
  if (type == GGML_TYPE_F32) params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  params.type_k = type;
  params.type_v = type;
  ContextPtr context(llama_init_from_model(model, params), llama_free);
  if (!context) throw std::runtime_error("cannot create a context");
  return context;
}

void evaluate(llama_context* context, Ids& ids) {
  if (llama_get_memory(context) != nullptr) llama_memory_clear(llama_get_memory(context), true);
  const auto count = static_cast<int32_t>(ids.size());
  const llama_batch batch = llama_batch_get_one(ids.data(), count);
  const bool encodes = llama_model_has_encoder(llama_get_model(context));
  if ((encodes ? llama_encode(context, batch) : llama_decode(context, batch)) != 0) {
    throw std::runtime_error("the evaluation failed");
  }
}

void run(const std::vector<std::string>& args) {
  if (args.size() != 4) throw std::runtime_error("expected MODEL OUTPUT POOLING TYPE");
  const std::map<std::string, enum llama_pooling_type> poolings {
    {"none", LLAMA_POOLING_TYPE_NONE},
    {"mean", LLAMA_POOLING_TYPE_MEAN},
    {"cls", LLAMA_POOLING_TYPE_CLS},
    {"last", LLAMA_POOLING_TYPE_LAST},
    {"rank", LLAMA_POOLING_TYPE_RANK}
  };
  const enum llama_pooling_type pooling = poolings.at(args[2]);
  const bool ranks = pooling == LLAMA_POOLING_TYPE_RANK;
  const ModelPtr model(llama_model_load_from_file(args[0].c_str(), llama_model_default_params()),
                       llama_model_free);
  if (!model) throw std::runtime_error("cannot load " + args[0]);
  const llama_vocab* vocab = llama_model_get_vocab(model.get());

  const std::vector<std::string> texts = read_texts();
  std::vector<Ids> all;
  for (size_t i = 0; i < texts.size(); i += ranks ? 2 : 1) {
    all.push_back(ranks ? pair(vocab, texts[i], texts.at(i + 1)) : tokenize(vocab, texts[i], true));
  }
  size_t longest = 1;
  for (const Ids& ids : all)
    longest = std::max(longest, ids.size());
  const ContextPtr context = make_context(model.get(), static_cast<uint32_t>(longest), pooling,
                                          args[3] == "f32" ? GGML_TYPE_F32 : GGML_TYPE_F16);
  const int32_t width = ranks ? 1 : llama_model_n_embd_out(model.get());
  std::ofstream file(args[1], std::ios::binary);
  const auto write = [&](const float* row) {
    if (row == nullptr) throw std::runtime_error("no embedding");
    file.write(reinterpret_cast<const char*>(row), sizeof(float) * width);
  };
  std::string counts;
  for (Ids& ids : all) {
    evaluate(context.get(), ids);
    if (pooling == LLAMA_POOLING_TYPE_NONE) {
      for (size_t i = 0; i < ids.size(); ++i)
        write(llama_get_embeddings_ith(context.get(), static_cast<int32_t>(i)));
    } else {
      write(llama_get_embeddings_seq(context.get(), 0));
    }
    counts += (counts.empty() ? "" : ",") + std::to_string(ids.size());
  }
  file.close();
  if (!file) throw std::runtime_error("cannot write " + args[1]);
  std::printf("[%s]\n", counts.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  try {
    run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cria-embed-reference: %s\n", error.what());
    return 1;
  }
  return 0;
}
