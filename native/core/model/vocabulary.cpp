#include "core/model/vocabulary.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>
#include <new>
#include <stdexcept>

#include "core/model/deep_stack.h"
#include "core/model/error.h"
#include "core/model/token_borders.h"
#include "core/model/token_tree.h"
#include "core/model/token_watch.h"
#include "core/model/utf8.h"

namespace cria {

namespace {

// Tokens that a prompt names, and that plain text should not produce.
constexpr int kNamed =
    LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN;

// See deep_stack.h. The smallest stack that this may run on is that of a thread on macOS, 512 KiB.
constexpr size_t kRunOnAnyStack = 512;
constexpr size_t kLongestRun = size_t{1} << 20;
constexpr size_t kStackBase = size_t{1} << 20;
constexpr size_t kStackPerByte = 1024;

[[noreturn]] void refuse_text() {
  throw Error(
      code::kInvalidArgument,
      "This model's vocabulary cannot write the text: it has no token for one of its "
      "characters, nor for that character's bytes. Expected text in the model's own alphabet.");
}

// llama.cpp looks up texts that a vocabulary need not have, mostly the single bytes of a character,
// and throws if it has none. That is an error of the text.
template <typename Do>
void blaming_the_text(const Do& work) {
  try {
    work();
  } catch (const std::out_of_range&) {
    refuse_text();
  } catch (...) {
    const Failure failure = current_failure("");
    if (!failure.code.empty()) throw;
    throw Error(code::kInvalidArgument,
                "This model's vocabulary cannot write the text: " + failure.message);
  }
}

// Longer texts are tokenized in pieces of about this size, which take some 10 ms each. A piece is
// longer if it cannot be cut.
constexpr size_t kPiece = size_t{1} << 14;
constexpr size_t kLongestPiece = size_t{1} << 16;

Tokens tokens_of(const llama_vocab* vocab, std::string_view text, bool special) {
  const auto length = static_cast<int32_t>(text.size());
  Tokens tokens(text.size() / 3 + 16);
  const auto fill = [&] {
    return llama_tokenize(vocab, text.data(), length, tokens.data(),
                          static_cast<int32_t>(tokens.size()), /*add_special=*/false, special);
  };
  int32_t count = 0;
  const auto tokenize_all = [&] {
    blaming_the_text([&] {
      count = fill();
      if (count < 0 && count != std::numeric_limits<int32_t>::min()) {
        tokens.resize(static_cast<size_t>(-count));
        count = fill();
      }
    });
  };
  const size_t run = longest_run(text);
  if (run > kRunOnAnyStack) {
    with_stack(kStackBase + run * kStackPerByte, tokenize_all);
  } else {
    tokenize_all();
  }
  if (count < 0) throw Error(code::kInvalidArgument, "The text is too long to be tokenized.");
  tokens.resize(static_cast<size_t>(count));
  // WordPiece and RWKV use the unknown token, which need not exist.
  const llama_token size = llama_vocab_n_tokens(vocab);
  for (const llama_token token : tokens)
    if (token < 0 || token >= size) refuse_text();
  return tokens;
}

uint64_t next_id() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

Vocabulary::Vocabulary(const llama_vocab* vocab)
    : vocab_(vocab), id_(next_id()), size_(llama_vocab_n_tokens(vocab)) {
  if (llama_vocab_type(vocab) != LLAMA_VOCAB_TYPE_NONE) {
    for (llama_token token = 0; token < size_; ++token) {
      if ((llama_vocab_get_attr(vocab, token) & kNamed) != 0) {
        named_.emplace(llama_vocab_get_text(vocab, token), token);
      }
    }
  }
  // llama.cpp has no getter for it, so it is found by its name.
  eom_ = by_text("<|eom_id|>");
}

Tokens Vocabulary::tokenize(std::string_view text, bool special) const {
  if (llama_vocab_type(vocab_) == LLAMA_VOCAB_TYPE_NONE) {
    throw Error(code::kUnsupported, "This model has no vocabulary: give tokens instead of text.");
  }
  // So that the number of tokens fits: each has at least one byte of the text, except for a space
  // that some vocabularies put in front.
  if (text.size() > std::numeric_limits<int32_t>::max() / 2) {
    throw Error(code::kInvalidArgument, "Expected a string of at most 1 GiB.");
  }
  const size_t run = longest_run(text);
  if (run > kLongestRun) {
    throw Error(code::kInvalidArgument, "Expected text with no more than " +
                                            std::to_string(kLongestRun) +
                                            " letters, digits, spaces or signs in a row, got " +
                                            std::to_string(run) + ". Break it up.");
  }
  if (text.size() <= kLongestPiece) return tokens_of(vocab_, text, special);

  const TokenBorders& cut = borders();
  Tokens tokens;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = cut.next(text, std::min(begin + kPiece, text.size()));
    const bool framed = begin > 0 && cut.behind_newline();
    std::string piece(framed ? "\n" : "");
    piece.append(text.substr(begin, end - begin));
    const auto goes_on = [&] { return TokenWatch::goes_on({tokens.size(), begin, text.size()}); };
    if (!goes_on()) break;
    Tokens more;
    const std::shared_ptr<const void> owner = owner_.lock();
    if (piece.size() <= kLongestPiece || !owner) {
      more = tokens_of(vocab_, piece, special);
    } else {
      const auto result = std::make_shared<Tokens>();
      const auto work = [owner, result, vocab = vocab_, own = std::move(piece), special] {
        *result = tokens_of(vocab, own, special);
      };
      // If the piece has a long run, tokens_of() starts another thread with a deeper stack.
      if (!run_or_leave_behind(kStackBase, work, goes_on)) break;
      more = std::move(*result);
    }
    const size_t frame = framed ? tokens_of(vocab_, "\n", false).size() : 0;
    tokens.insert(tokens.end(), more.begin() + static_cast<std::ptrdiff_t>(frame), more.end());
    begin = end;
  }
  if (tokens.empty()) tokens.push_back(0);
  return tokens;
}

const TokenBorders& Vocabulary::borders() const {
  std::call_once(borders_made_, [&] { borders_ = std::make_shared<const TokenBorders>(*this); });
  return *borders_;
}

std::string Vocabulary::detokenize(const Tokens& tokens, bool special) const {
  const enum llama_vocab_type type = llama_vocab_type(vocab_);
  const bool prefixed =
      type == LLAMA_VOCAB_TYPE_SPM || type == LLAMA_VOCAB_TYPE_UGM || type == LLAMA_VOCAB_TYPE_WPM;
  std::string bytes;
  if (!prefixed) {
    // As the pieces would stream: llama_detokenize removes spaces in front of punctuation.
    for (const llama_token token : tokens)
      append_piece(token, special, bytes);
    return utf8::repair(bytes);
  }

  // These put a space in front of every text, which llama_detokenize removes again.
  for (const llama_token token : tokens)
    check(token);
  const auto count = static_cast<int32_t>(tokens.size());
  bytes.resize(tokens.size() * 8 + 16);
  const auto fill = [&] {
    return llama_detokenize(vocab_, tokens.data(), count, bytes.data(),
                            static_cast<int32_t>(bytes.size()), /*remove_special=*/false, special);
  };
  int32_t length = fill();
  if (length < 0) {
    bytes.resize(static_cast<size_t>(-length));
    length = fill();
  }
  bytes.resize(length < 0 ? 0 : static_cast<size_t>(length));
  return utf8::repair(bytes);
}

void Vocabulary::append_piece(llama_token token, bool special, std::string& bytes) const {
  check(token);
  if (llama_vocab_type(vocab_) == LLAMA_VOCAB_TYPE_NONE) return;
  char piece[64];
  int32_t length = llama_token_to_piece(vocab_, token, piece, sizeof piece, 0, special);
  if (length >= 0) {
    bytes.append(piece, static_cast<size_t>(length));
    return;
  }
  std::string longer(static_cast<size_t>(-length), '\0');
  length = llama_token_to_piece(vocab_, token, longer.data(), -length, 0, special);
  bytes.append(longer, 0, static_cast<size_t>(length));
}

void Vocabulary::check(llama_token token) const {
  if (contains(token)) return;
  throw Error(code::kInvalidArgument, "Expected token ids from 0 to " + std::to_string(size_ - 1) +
                                          ", got " + std::to_string(token) + ".");
}

llama_token Vocabulary::by_text(const std::string& text) const {
  const auto found = named_.find(text);
  return found == named_.end() ? LLAMA_TOKEN_NULL : found->second;
}

bool Vocabulary::ends_generation(llama_token token) const {
  return contains(token) && llama_vocab_is_eog(vocab_, token);
}

const TokenTree& Vocabulary::tree() const {
  std::call_once(tree_made_, [&] { tree_ = std::make_shared<const TokenTree>(*this); });
  return *tree_;
}

Vocabulary::Kept& Vocabulary::kept(std::unique_ptr<Kept> (*make)(const Vocabulary&)) const {
  std::call_once(kept_made_, [&] { kept_ = make(*this); });
  return *kept_;
}

}  // namespace cria
