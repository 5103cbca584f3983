// Some seconds of everything at once: generations, scores and sequences come, go and are cancelled
// at random (with a fixed seed), and each still says what it would have said alone.
//
//   cria-soak-test MODEL [tests…]

#include <cmath>
#include <random>

#include "client.h"
#include "temporary_file.h"

namespace command = cria::command;
using cria::RequestId;
using cria::Reuse;
using cria::SequenceId;
using cria::Tokens;
using demo::Client;
using demo::ContextOptions;
using demo::first;
using demo::joined;
using demo::Request;

namespace {

constexpr int kOperations = 350;
constexpr size_t kPending = 12;
constexpr int32_t kContextSize = 256;
constexpr int32_t kMicroBatch = 64;
class Soak {
 public:
  Soak(const ContextOptions& options, Reuse reuse, uint32_t seed)
      : random_(seed),
        reuse_(reuse),
        roomy_(!options.unified_kv_cache ||
               options.kv_cache_size >= kContextSize * options.sequences),
        shape_(shape(options)),
        tolerance_(shape_.rounds ? 0 : demo::kNearTie),
        client_(options) {
    for (int i = 0; i < 3; ++i)
      prefixes_.push_back(demo::random_text(random_, 20 + below(90)));
    client_.open();
  }

  void run() {
    for (int i = 0; i < kOperations; ++i) {
      operate();
      client_.read_until([this] { return pending() < kPending; });
    }
    while (!sequences_.empty())
      dispose(sequences_.begin()->first);
    for (auto& [id, asked] : asked_)
      client_.read_to_end({id});
    for (auto& [id, asked] : asked_)
      check(client_.stories[id], asked);
    CHECK(finished_ > 40);
    CHECK_EQ(client_.context().counters()->active.load(), 0);
  }

 private:
  static demo::Shape shape(const ContextOptions& options) {
    const bool rounds = options.kv_cache_type_key != GGML_TYPE_F32;
    return {1, kContextSize, false, 0, kMicroBatch, rounds};
  }

  struct Asked {
    Tokens prompt;
    int32_t max_tokens = 0;
    std::shared_ptr<cria::Order> order;
    // Of a score.
    Tokens candidates;
    std::vector<int32_t> counts;
  };

  size_t below(size_t most) { return random_() % most; }

  Tokens prompt(size_t most = 220) {
    const Tokens own = demo::random_text(random_, 1 + below(100));
    Tokens all = below(2) == 0 ? own : joined(prefixes_[below(prefixes_.size())], own);
    if (all.size() > most) all.resize(most);
    return all;
  }

  size_t pending() {
    size_t count = 0;
    for (const auto& [id, asked] : asked_)
      count += client_.ended(id) ? 0 : 1;
    return count;
  }

  void operate() {
    switch (below(12)) {
      case 0:
        return score();
      case 1:
      case 2:
        return cancel();
      case 3:
        return create();
      case 4:
      case 5:
      case 6:
        return use_sequence();
      default:
        return generate();
    }
  }

  void generate() {
    const RequestId id = next_++;
    Asked& asked = asked_[id];
    asked.prompt = prompt();
    asked.max_tokens = static_cast<int32_t>(1 + below(35));
    asked.order = client_.submit(id, [&](Request& request) {
      request.prompt.segments = {asked.prompt};
      request.max_tokens = asked.max_tokens;
      request.reuse = reuse_;
    });
  }

  void score() {
    const RequestId id = next_++;
    Asked& asked = asked_[id];
    asked.prompt = prompt();
    asked.candidates = {1, 2, 300};
    asked.counts = {3};
    if (asked.prompt.size() > 1 && below(2) == 0) asked.counts = {1, 2};
    asked.order = client_.submit(
        id, command::Score{{{asked.prompt}, false}, asked.candidates, asked.counts, reuse_});
  }

  void cancel() {
    for (const auto& [id, asked] : asked_) {
      if (client_.ended(id) || below(4) != 0) continue;
      asked.order->cancelled = true;
      client_.context().interrupt();
      return;
    }
  }

  void create() {
    if (sequences_.size() > 1) return dispose(sequences_.begin()->first);
    const cria::News made = told(command::Create{});
    if (made.answer) sequences_[made.answer->sequence] = {};
  }

  void use_sequence() {
    if (sequences_.empty()) return;
    auto& [id, tokens] =
        *std::next(sequences_.begin(), static_cast<long>(below(sequences_.size())));
    switch (below(7)) {
      case 0: {
        const size_t length = below(tokens.size() + 1);
        client_.answer(command::Trim{id, static_cast<int32_t>(length)});
        tokens.resize(length);
        return;
      }
      case 1: {
        if (sequences_.size() > 2) return;  // or nothing is left for generations
        const Tokens copy = tokens;
        const cria::News made = told(command::Fork{id});
        if (made.answer) sequences_[made.answer->sequence] = copy;
        return;
      }
      case 2:
        client_.answer(command::Save{id, file_.path()});
        saved_ = tokens;
        return;
      case 3:
        if (saved_ && roomy_) {
          CHECK(client_.answer(command::Restore{id, file_.path()}).tokens == saved_);
          tokens = *saved_;
        }
        return;
      case 4:
        return sample(id, tokens);
      default: {
        const Tokens more = prompt(40);
        const cria::News news = told(command::Evaluate{id, {{more}, false}});
        if (!news.answer) return;
        tokens = joined(tokens, more);
        CHECK(news.answer->tokens == tokens);
      }
    }
  }

  void sample(SequenceId id, const Tokens& tokens) {
    if (tokens.empty()) return;
    const cria::News news = told(command::Sample{id, 1, {cria::step::Greedy{}}, 0});
    // Evaluated in other pieces than a prompt would be.
    if (!news.answer || shape_.rounds) return;
    CHECK(demo::gap(tokens, {news.answer->token}, shape_) <= tolerance_);
  }

  void dispose(SequenceId id) {
    client_.answer(command::Dispose{id});
    sequences_.erase(id);
  }

  // What may fail, for want of a slot or of cells.
  cria::News told(Client::What what) {
    const demo::Story& story = client_.carry_out(std::move(what));
    if (story.failure) CHECK_EQ(story.failure->code, "ERR_CONTEXT_FULL");
    cria::News news;
    news.answer = story.answer;
    return news;
  }

  void check(const demo::Story& story, const Asked& asked) {
    if (story.failure) {
      CHECK_EQ(story.failure->code, "ERR_CONTEXT_FULL");
      CHECK(!roomy_);
      return;
    }
    if (story.answer) {
      if (!story.answer->cancelled) check_score(*story.answer->values, asked);
      return;
    }
    Tokens all = story.tokens;
    if (story.finish->stop_token != LLAMA_TOKEN_NULL) all.push_back(story.finish->stop_token);
    if (!asked.order->cancelled) {
      finished_ += 1;
      CHECK(story.finish->stop_token != LLAMA_TOKEN_NULL || !roomy_ ||
            static_cast<int32_t>(all.size()) == asked.max_tokens);
    }
    CHECK(demo::gap(asked.prompt, all, shape_) <= tolerance_);
  }

  void check_score(const std::vector<float>& values, const Asked& asked) const {
    const demo::ContextPtr context = demo::make_context(shape_);
    std::vector<float> logits;  // behind each token that is asked about
    const size_t first = asked.prompt.size() - asked.counts.size();
    for (size_t begin = 0; begin < asked.prompt.size(); begin += kMicroBatch) {
      const size_t end = std::min(begin + kMicroBatch, asked.prompt.size());
      const size_t outputs = end - std::clamp(first, begin, end);
      const std::vector<float> some =
          demo::decode(context.get(), 0, asked.prompt, begin, end, static_cast<int32_t>(outputs));
      logits.insert(logits.end(), some.begin(), some.end());
    }
    const auto width = static_cast<size_t>(demo::model()->vocabulary().size());
    CHECK_EQ(values.size(), asked.candidates.size());
    size_t next = 0;
    for (size_t at = 0; at < asked.counts.size(); ++at) {
      const float* here = logits.data() + at * width;
      double sum = 0;
      for (size_t token = 0; token < width; ++token)
        sum += std::exp(static_cast<double>(here[token]));
      for (const size_t end = next + static_cast<size_t>(asked.counts[at]); next < end; ++next) {
        const double expected = here[asked.candidates[next]] - std::log(sum);
        // A logit and the sum of all, in floats there and in doubles here.
        CHECK(std::abs(values[next] - expected) <= 2 * tolerance_ + 1e-4);
      }
    }
  }

  std::mt19937 random_;
  const Reuse reuse_;
  const bool roomy_;
  const demo::Shape shape_;  // of a context for one alone
  const float tolerance_;
  Client client_;
  const demo::TemporaryFile file_;
  std::vector<Tokens> prefixes_;
  std::map<RequestId, Asked> asked_;
  std::map<SequenceId, Tokens> sequences_;
  std::optional<Tokens> saved_;
  RequestId next_ = 1;
  int finished_ = 0;
};

ContextOptions options(bool shared) {
  ContextOptions options = demo::small(5, kContextSize);
  options.micro_batch_size = kMicroBatch;
  options.batch_size = kMicroBatch;
  options.unified_kv_cache = shared;
  return options;
}

ContextOptions unrounded(bool shared) {
  ContextOptions same = options(shared);
  same.flash_attention = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  same.kv_cache_type_key = same.kv_cache_type_value = GGML_TYPE_F32;
  return same;
}

}  // namespace

TEST(separate_streams_each_for_itself) { Soak(options(false), Reuse::kNone, 1).run(); }

TEST(separate_streams_with_prefixes_copied) {
  const demo::Unrounded model;
  Soak(unrounded(false), Reuse::kAny, 2).run();
}

TEST(separate_streams_with_exact_prefixes) { Soak(options(false), Reuse::kExact, 6).run(); }

TEST(a_unified_kv_cache_each_for_itself) {
  const demo::Unrounded model;
  Soak(unrounded(true), Reuse::kNone, 3).run();
}

TEST(a_unified_kv_cache_with_shared_prefixes) {
  const demo::Unrounded model;
  Soak(unrounded(true), Reuse::kAny, 4).run();
}

TEST(a_unified_kv_cache_that_is_too_small) {
  const demo::Unrounded model;
  ContextOptions scarce = unrounded(true);
  scarce.kv_cache_size = 512;
  Soak(scarce, Reuse::kAny, 5).run();
}

int main(int argc, char** argv) { return demo::run(argc, argv); }
