// What happened to requests and is not yet known to JS. The context's threads write, the JS thread
// takes: a slow reader gets bigger chunks, not a longer queue.
#pragma once

#include <llama.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/model/error.h"
#include "core/sampling/logprobs.h"

namespace cria {

using RequestId = int64_t;

enum class StopReason {
  kEndOfText,
  kEndOfTurn,
  kEndOfMessage,
  kStopString,
  kMaxTokens,
  kContextFull,
  kCancelled,
};

// Tokens that were evaluated because they were likely to come, and those of them that came.
struct DraftCounts {
  int32_t proposed;
  int32_t accepted;
};

// How a request ended well.
struct Finish {
  StopReason reason = StopReason::kCancelled;
  llama_token stop_token = LLAMA_TOKEN_NULL;
  std::optional<std::string> stop_string;
  int32_t prompt_tokens = 0;
  int32_t cached_tokens = 0;
  int32_t completion_tokens = 0;  // the stop token counts
  std::optional<DraftCounts> drafts;
  double queued_ms = 0;
  double prompt_ms = 0;
  double generation_ms = 0;
};

// How a command ended: the fields that lib/internal/native.ts declares for it.
struct Answer {
  bool cancelled = false;
  int32_t sequence = -1;
  llama_token token = LLAMA_TOKEN_NULL;
  std::optional<std::vector<llama_token>> tokens;
  std::optional<std::vector<float>> values;
  int32_t count = -1;
  int32_t cached = -1;
};

struct News {
  RequestId id = 0;
  std::string text;
  std::vector<llama_token> tokens;
  std::vector<TokenLogprob> logprobs;  // equally many for each of `tokens`, the chosen one first
  int32_t evaluated = -1;              // -1: no progress to report
  int32_t total = 0;
  std::optional<Finish> finish;
  std::optional<Answer> answer;
  std::optional<Failure> failure;

  bool last() const { return finish || answer || failure; }
};

class Outbox {
 public:
  // `wake` is called on the writing thread, once for everything written before the next take().
  explicit Outbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  void piece(RequestId id, llama_token token, std::string_view text,
             const std::vector<TokenLogprob>& logprobs);
  void text(RequestId id, std::string_view text);
  void progress(RequestId id, int32_t evaluated, int32_t total);
  void finish(RequestId id, Finish finish);
  void answer(RequestId id, Answer answer);
  void fail(RequestId id, Failure failure);
  // The answer to a command that was cancelled.
  void cancelled(RequestId id);

  // Wakes the reader if there is news that it was not woken for. Once per step, not per token.
  void flush();

  // The JS thread. At most one entry for each request, the oldest request first.
  std::vector<News> take();

 private:
  News& of(RequestId id);  // with the lock held

  const std::function<void()> wake_;
  std::mutex mutex_;
  std::vector<News> news_;
  std::unordered_map<RequestId, size_t> index_;  // of news_
  bool woken_ = false;
};

}  // namespace cria
