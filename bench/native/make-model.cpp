// Writes a Llama model of a given shape with random weights and a real vocabulary: as fast or slow
// as a trained one, since nothing in an evaluation depends on the values.
//
//   make-model VOCABULARY.gguf OUTPUT.gguf LAYERS EMBEDDING FEED_FORWARD HEADS KV_HEADS TYPE
//   [counts]
//
// TYPE is Q8_0 or Q4_K_M. The embedding is tied to the output, as in the small Llama models. The
// rows of control tokens are much shorter than the others, so that none is ever the likeliest token
// and every generation has the length that was asked for. With `counts` the layers add nothing, and
// an output of its own makes the likeliest token behind any other the one with the next id: a text
// that is known beforehand, at the cost of any other.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ggml.h"
#include "gguf.h"
#include "llama.h"
#include "program.h"

namespace {

using GgufPtr = std::unique_ptr<gguf_context, decltype(&gguf_free)>;
using GgmlPtr = std::unique_ptr<ggml_context, decltype(&ggml_free)>;
using FilePtr = std::unique_ptr<FILE, decltype(&std::fclose)>;

constexpr int32_t kNormal = 1;  // as GGUF files number the types of tokens
constexpr float kShort = 1.0f / 64;

struct Shape {
  uint32_t layers, embedding, feed_forward, heads, kv_heads;
  bool counts;
};

llama_ftype parse_type(const std::string& name) {
  if (name == "Q8_0") return LLAMA_FTYPE_MOSTLY_Q8_0;
  if (name == "Q4_K_M") return LLAMA_FTYPE_MOSTLY_Q4_K_M;
  throw std::runtime_error("the type is Q8_0 or Q4_K_M, not " + name);
}

// All that the vocabulary's file says stays, but what describes the shape.
GgufPtr make_metadata(const std::string& vocabulary, const Shape& shape, uint32_t& tokens,
                      std::vector<bool>& control) {
  const GgufPtr source(gguf_init_from_file(vocabulary.c_str(), {true, nullptr}), gguf_free);
  if (!source) throw std::runtime_error("cannot read " + vocabulary);
  const int64_t list = gguf_find_key(source.get(), "tokenizer.ggml.tokens");
  if (list < 0) throw std::runtime_error("no vocabulary in " + vocabulary);
  tokens = static_cast<uint32_t>(gguf_get_arr_n(source.get(), list));
  const int64_t types = gguf_find_key(source.get(), "tokenizer.ggml.token_type");
  if (types < 0) throw std::runtime_error("no token types in " + vocabulary);
  const auto* type = static_cast<const int32_t*>(gguf_get_arr_data(source.get(), types));
  for (uint32_t i = 0; i < tokens; ++i)
    control.push_back(type[i] != kNormal);

  GgufPtr metadata(gguf_init_empty(), gguf_free);
  gguf_context* out = metadata.get();
  gguf_set_kv(out, source.get());
  gguf_set_val_str(out, "general.architecture", "llama");
  gguf_set_val_str(out, "general.name", "random weights");
  gguf_set_val_u32(out, "llama.vocab_size", tokens);
  gguf_set_val_u32(out, "llama.context_length", 131072);
  gguf_set_val_u32(out, "llama.block_count", shape.layers);
  gguf_set_val_u32(out, "llama.embedding_length", shape.embedding);
  gguf_set_val_u32(out, "llama.feed_forward_length", shape.feed_forward);
  gguf_set_val_u32(out, "llama.attention.head_count", shape.heads);
  gguf_set_val_u32(out, "llama.attention.head_count_kv", shape.kv_heads);
  gguf_set_val_f32(out, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
  gguf_set_val_u32(out, "llama.rope.dimension_count", shape.embedding / shape.heads);
  gguf_set_val_f32(out, "llama.rope.freq_base", 500000.0f);
  gguf_set_val_u32(out, "general.file_type", LLAMA_FTYPE_MOSTLY_F16);
  return metadata;
}

std::vector<ggml_tensor*> make_tensors(ggml_context* context, const Shape& shape, uint32_t tokens) {
  std::vector<ggml_tensor*> tensors;
  const int64_t width = shape.embedding;
  const int64_t kv_width = width / shape.heads * shape.kv_heads;
  const auto matrix = [&](const std::string& name, int64_t in, int64_t out) {
    tensors.push_back(ggml_new_tensor_2d(context, GGML_TYPE_F16, in, out));
    ggml_set_name(tensors.back(), (name + ".weight").c_str());
  };
  const auto norm = [&](const std::string& name) {
    tensors.push_back(ggml_new_tensor_1d(context, GGML_TYPE_F32, width));
    ggml_set_name(tensors.back(), (name + ".weight").c_str());
  };
  matrix("token_embd", width, tokens);
  norm("output_norm");
  if (shape.counts) matrix("output", width, tokens);
  for (uint32_t layer = 0; layer < shape.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    norm(block + "attn_norm");
    matrix(block + "attn_q", width, width);
    matrix(block + "attn_k", width, kv_width);
    matrix(block + "attn_v", width, kv_width);
    matrix(block + "attn_output", width, width);
    norm(block + "ffn_norm");
    matrix(block + "ffn_gate", width, shape.feed_forward);
    matrix(block + "ffn_up", width, shape.feed_forward);
    matrix(block + "ffn_down", shape.feed_forward, width);
  }
  return tensors;
}

void write(FILE* file, const void* data, size_t size) {
  if (std::fwrite(data, 1, size, file) != size) throw std::runtime_error("cannot write the model");
}

void write_zeros(FILE* file, size_t size) {
  const std::vector<char> zeros(size);
  write(file, zeros.data(), zeros.size());
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Row by row, so that a model need not fit in memory. Only the generator's raw output is used:
// std::uniform_real_distribution may differ from one standard library to the next.
void write_random(FILE* file, const ggml_tensor* tensor, const std::vector<bool>& short_rows,
                  std::mt19937_64& random, int64_t first = 0) {
  const int64_t width = tensor->ne[0];
  const auto spread = std::sqrt(3.0f / static_cast<float>(width));
  std::vector<float> row(width);
  std::vector<ggml_fp16_t> half(width);
  for (int64_t i = first; i < tensor->ne[1]; ++i) {
    const bool shorter = static_cast<size_t>(i) < short_rows.size() && short_rows[i];
    const float length = shorter ? spread * kShort : spread;
    for (float& value : row) {
      value = length * (static_cast<float>(random() >> 40) * 0x1p-23f - 1.0f);
    }
    ggml_fp32_to_fp16_row(row.data(), half.data(), width);
    write(file, half.data(), sizeof(ggml_fp16_t) * half.size());
  }
}

void write_half_precision(const std::string& path, const std::string& vocabulary,
                          const Shape& shape) {
  uint32_t tokens = 0;
  std::vector<bool> control;
  const GgufPtr metadata = make_metadata(vocabulary, shape, tokens, control);
  const size_t overhead = ggml_tensor_overhead() * (16 + 9 * size_t{shape.layers});
  const GgmlPtr context(ggml_init({overhead, nullptr, true}), ggml_free);
  const std::vector<ggml_tensor*> tensors = make_tensors(context.get(), shape, tokens);
  for (const ggml_tensor* tensor : tensors)
    gguf_add_tensor(metadata.get(), tensor);

  const FilePtr file(std::fopen(path.c_str(), "wb"), std::fclose);
  if (!file) throw std::runtime_error("cannot write " + path);
  if (!gguf_write_to_file_ptr(metadata.get(), file.get(), true)) {
    throw std::runtime_error("cannot write " + path);
  }
  constexpr uint64_t kSeed = 1;
  std::mt19937_64 random(kSeed);
  const size_t alignment = gguf_get_alignment(metadata.get());
  for (const ggml_tensor* tensor : tensors) {
    if (tensor->type == GGML_TYPE_F32) {
      const std::vector<float> ones(tensor->ne[0], 1.0f);
      write(file.get(), ones.data(), sizeof(float) * ones.size());
    } else if (std::string(tensor->name) == "output.weight") {
      // Each row is the embedding of the token before.
      std::mt19937_64 again(kSeed);
      write_zeros(file.get(), sizeof(ggml_fp16_t) * static_cast<size_t>(tensor->ne[0]));
      write_random(file.get(), tensor, control, again, 1);
    } else if (shape.counts && (ends_with(tensor->name, "attn_output.weight") ||
                                ends_with(tensor->name, "ffn_down.weight"))) {
      write_zeros(file.get(), ggml_nbytes(tensor));
    } else {
      const bool embedding = tensor == tensors.front();
      write_random(file.get(), tensor, embedding ? control : std::vector<bool>{}, random);
    }
    const std::vector<char> padding(GGML_PAD(ggml_nbytes(tensor), alignment) - ggml_nbytes(tensor));
    write(file.get(), padding.data(), padding.size());
  }
  if (std::fflush(file.get()) != 0) throw std::runtime_error("cannot write " + path);
}

void run(const std::vector<std::string>& args) {
  const bool counts = args.size() == 9 && args[8] == "counts";
  if (args.size() != 8 && !counts) throw std::runtime_error("expected 8 arguments, and `counts`");
  const auto number = [&](size_t i) { return static_cast<uint32_t>(std::stoul(args[i])); };
  const Shape shape{number(2), number(3), number(4), number(5), number(6), counts};
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = parse_type(args[7]);
  const std::string half = args[1] + ".f16";
  write_half_precision(half, args[0], shape);
  const uint32_t status = llama_model_quantize(half.c_str(), args[1].c_str(), &params);
  std::remove(half.c_str());
  if (status != 0) throw std::runtime_error("cannot quantize the model");
}

}  // namespace

int main(int argc, char** argv) { return run_program("make-model", argc, argv, run); }
