// What mtmd itself says of prompts with pictures and sounds, for the tests to compare cria with: a
// plain loop over mtmd.h and llama.h that shares no code with native/.
//
//   cria-media-reference MODEL PROJECTOR [--n N] [--ubatch N] [--threads N] PART…
//
// A part is ids:1,2,3 or image:FILE or audio:FILE. Prints the greedy tokens that follow, the
// end-of-generation token included, and how many tokens the prompt took, as one JSON object. Exit
// status: 0 done, 1 failed (the reason is on stderr).

#include <llama.h>
#include <mtmd-helper.h>
#include <mtmd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Options {
  std::string model;
  std::string projector;
  int n = 16;
  int ubatch = 512;
  int threads = 2;
  std::vector<std::string> parts;
};

Options parse_options(const std::vector<std::string>& args) {
  if (args.size() < 2) throw std::runtime_error("expected a model and a projector");
  Options options;
  options.model = args[0];
  options.projector = args[1];
  for (size_t i = 2; i < args.size(); ++i) {
    const auto number = [&] { return std::stoi(args.at(++i)); };
    if (args[i] == "--n") {
      options.n = number();
    } else if (args[i] == "--ubatch") {
      options.ubatch = number();
    } else if (args[i] == "--threads") {
      options.threads = number();
    } else {
      options.parts.push_back(args[i]);
    }
  }
  return options;
}

class Loop {
 public:
  explicit Loop(const Options& options) : options_(options) {
    model_.reset(llama_model_load_from_file(options.model.c_str(), llama_model_default_params()));
    if (!model_) throw std::runtime_error("cannot load the model");
    mtmd_context_params media = mtmd_context_params_default();
    media.n_threads = options.threads;
    media.print_timings = false;
    media.warmup = false;
    media_.reset(mtmd_init_from_file(options.projector.c_str(), model_.get(), media));
    if (!media_) throw std::runtime_error("cannot load the projector");
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 4096;
    params.n_batch = static_cast<uint32_t>(options.ubatch);
    params.n_ubatch = static_cast<uint32_t>(options.ubatch);
    params.n_threads = options.threads;
    params.n_threads_batch = options.threads;
    context_.reset(llama_init_from_model(model_.get(), params));
    if (!context_) throw std::runtime_error("cannot create a context");
  }

  void run() {
    for (const std::string& part : options_.parts)
      add(part);
    flush();
    const std::vector<llama_token> tokens = greedy();
    std::string json = "{\"promptTokens\":" + std::to_string(rows_) + ",\"tokens\":[";
    for (const llama_token token : tokens)
      json += (json.back() == '[' ? "" : ",") + std::to_string(token);
    std::printf("%s]}\n", json.c_str());
  }

 private:
  void add(const std::string& part) {
    const size_t colon = part.find(':');
    const std::string rest = part.substr(colon + 1);
    if (part.substr(0, colon) != "ids") return add_media(rest);
    std::istringstream ids(rest);
    for (std::string id; std::getline(ids, id, ',');)
      pending_.push_back(std::stoi(id));
  }

  void add_media(const std::string& path) {
    const mtmd::bitmap bitmap(mtmd_helper_bitmap_init_from_file(media_.get(), path.c_str(), false,
                                                                mtmd_helper_init_opt_default())
                                  .bitmap);
    if (!bitmap.ptr) throw std::runtime_error("cannot read " + path);
    const mtmd_input_part part{nullptr, bitmap.ptr.get()};
    const mtmd_input_part* const parts[] = {&part};
    const mtmd::input_chunks chunks(mtmd_input_chunks_init());
    if (mtmd_tokenize_from_parts(media_.get(), chunks.ptr.get(), parts, 1, false) != 0) {
      throw std::runtime_error("cannot prepare " + path);
    }
    for (size_t i = 0; i < chunks.size(); ++i) {
      const mtmd_input_chunk* chunk = chunks[i];
      if (mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT) {
        size_t count = 0;
        const llama_token* tokens = mtmd_input_chunk_get_tokens_text(chunk, &count);
        pending_.insert(pending_.end(), tokens, tokens + count);
        continue;
      }
      flush();
      if (mtmd_helper_eval_chunk_single(media_.get(), context_.get(), chunk, position_, 0,
                                        options_.ubatch, false, &position_) != 0) {
        throw std::runtime_error("cannot evaluate " + path);
      }
      rows_ += static_cast<int>(mtmd_input_chunk_get_n_tokens(chunk));
    }
  }

  // Evaluates the tokens that wait.
  void flush() {
    for (size_t done = 0; done < pending_.size();) {
      const size_t count = std::min(pending_.size() - done, static_cast<size_t>(options_.ubatch));
      decode(pending_.data() + done, static_cast<int>(count));
      done += count;
    }
    rows_ += static_cast<int>(pending_.size());
    pending_.clear();
  }

  void decode(const llama_token* ids, int count) {
    llama_batch batch = llama_batch_init(count, 0, 1);
    batch.n_tokens = count;
    for (int i = 0; i < count; ++i) {
      batch.token[i] = ids[i];
      batch.pos[i] = position_++;
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = 0;
      batch.logits[i] = i == count - 1 ? 1 : 0;
    }
    const int status = llama_decode(context_.get(), batch);
    llama_batch_free(batch);
    if (status != 0) throw std::runtime_error("llama_decode: " + std::to_string(status));
  }

  std::vector<llama_token> greedy() {
    const llama_vocab* vocab = llama_model_get_vocab(model_.get());
    const int vocabulary = llama_vocab_n_tokens(vocab);
    std::vector<llama_token> tokens;
    for (;;) {
      const float* logits = llama_get_logits_ith(context_.get(), -1);
      const auto best =
          static_cast<llama_token>(std::max_element(logits, logits + vocabulary) - logits);
      tokens.push_back(best);
      if (llama_vocab_is_eog(vocab, best) || static_cast<int>(tokens.size()) == options_.n) {
        return tokens;
      }
      decode(&best, 1);
    }
  }

  const Options options_;
  std::unique_ptr<llama_model, decltype(&llama_model_free)> model_{nullptr, llama_model_free};
  mtmd::context_ptr media_;
  std::unique_ptr<llama_context, decltype(&llama_free)> context_{nullptr, llama_free};
  std::vector<llama_token> pending_;
  llama_pos position_ = 0;
  int rows_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto quiet = [](ggml_log_level, const char*, void*) {};
  llama_log_set(quiet, nullptr);
  mtmd_helper_log_set(quiet, nullptr);
  llama_backend_init();
  try {
    Loop(parse_options({argv + 1, argv + argc})).run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cria-media-reference: %s\n", error.what());
    return 1;
  }
}
