// What a model and a context on it really take, for the tests to compare estimates with: they are
// made, and the buffers that llama.cpp has then are counted.
//
//   cria-memory-reference MODEL [NAME=VALUE]…     names and values as in ContextOptions here
//
// Stdout has one line of JSON: bytes of the model's buffers, the KV cache's, and those that are
// computed in. The buffer of outputs is not among llama.cpp's figures: it is what llama.cpp logs,
// rounded to 10 KiB.

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <future>
#include <stdexcept>
#include <string>

#include "core/engine/context.h"
#include "core/model/backend.h"

namespace {

ggml_type type_of(const std::string& name) {
  for (int type = 0; type < GGML_TYPE_COUNT; ++type) {
    const char* known = ggml_type_name(static_cast<ggml_type>(type));
    if (known != nullptr && name == known) return static_cast<ggml_type>(type);
  }
  throw std::runtime_error("no type " + name);
}

cria::ContextOptions options_of(int argc, char** argv) {
  cria::ContextOptions options;
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const std::string value = argument.substr(equals + 1);
    if (name == "kvCacheTypeKey") {
      options.kv_cache_type_key = type_of(value);
    } else if (name == "kvCacheTypeValue") {
      options.kv_cache_type_value = type_of(value);
    } else if (name == "kvCache") {
      options.unified_kv_cache = value == "unified";
    } else if (name == "swaFull") {
      options.swa_full = value == "true";
    } else if (name == "embeddings") {
      options.embeddings = value == "true";
    } else if (name == "pooling") {
      const char* const names[] = {"none", "mean", "cls", "last", "rank"};
      for (int pooling = 0; pooling < 5; ++pooling)
        if (value == names[pooling]) options.pooling = static_cast<cria::Pooling>(pooling);
    } else if (name == "flashAttention") {
      options.flash_attention = value == "on"    ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                : value == "off" ? LLAMA_FLASH_ATTN_TYPE_DISABLED
                                                 : LLAMA_FLASH_ATTN_TYPE_AUTO;
    } else {
      int32_t* const field = name == "contextSize"      ? &options.context_size
                             : name == "sequences"      ? &options.sequences
                             : name == "kvCacheSize"    ? &options.kv_cache_size
                             : name == "batchSize"      ? &options.batch_size
                             : name == "microBatchSize" ? &options.micro_batch_size
                                                        : nullptr;
      if (field != nullptr) *field = std::stoi(value);
    }
  }
  options.threads = 1;
  return options;
}

void run(int argc, char** argv) {
  if (argc < 2) throw std::runtime_error("usage: cria-memory-reference MODEL [NAME=VALUE]...");
  cria::ModelOptions load;
  load.path = argv[1];
  load.mmap = false;
  const auto model = cria::Model::load(load, [](float) { return true; });

  double outputs = 0;
  const int listener = cria::backend::add_log_listener([&](const char*, const std::string& line) {
    const size_t at = line.find("output buffer size =");
    if (at != std::string::npos) outputs = std::stod(line.substr(line.find('=', at) + 1));
  });
  std::promise<cria::ContextInfo> opened;
  cria::Context::Events events;
  events.opened = [&](const cria::ContextInfo& info) { opened.set_value(info); };
  events.failed = [&](const cria::Failure& failure) {
    opened.set_exception(std::make_exception_ptr(std::runtime_error(failure.message)));
  };
  events.news = [] {};
  events.closed = [] {};
  const cria::Context context(model, options_of(argc, argv), events);
  const cria::MemoryBreakdown memory = opened.get_future().get().memory;
  cria::backend::remove_log_listener(listener);

  uint64_t weights = 0;
  uint64_t cache = 0;
  uint64_t compute = static_cast<uint64_t>(outputs * 1024 * 1024);
  for (const cria::DeviceMemory& one : memory) {
    weights += one.model;
    cache += one.cache;
    compute += one.compute;
  }
  std::printf("{\"model\":%" PRIu64 ",\"kvCache\":%" PRIu64 ",\"compute\":%" PRIu64 "}\n", weights,
              cache, compute);
}

}  // namespace

int main(int argc, char** argv) {
  cria::backend::start();
  try {
    run(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
