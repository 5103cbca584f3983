// Long texts are tokenized in pieces: the tokens are those of the whole, as llama.cpp has them, for
// texts of many kinds in each vocabulary that is given.
//
//   token-borders-test <vocabulary.gguf>…

#include <llama.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/backend.h"
#include "core/model/deep_stack.h"
#include "core/model/model.h"
#include "core/model/token_borders.h"
#include "core/model/token_watch.h"
#include "core/model/vocabulary.h"
#include "harness.h"

using cria::Model;
using cria::TokenBorders;
using cria::Tokens;
using cria::TokenWatch;
using cria::Vocabulary;

namespace {

std::vector<std::string> files;

std::shared_ptr<Model> load(const std::string& file) {
  cria::ModelOptions options;
  options.path = file;
  options.vocab_only = true;
  options.gpu_layers = 0;
  return Model::load(options, [](float) { return true; });
}

class Writer {
 public:
  explicit Writer(uint32_t seed) : random_(seed) {}

  size_t below(size_t count) { return random_() % count; }
  char one_of(std::string_view characters) { return characters[below(characters.size())]; }
  const char* word() {
    static constexpr const char* kWords[] = {
        "the",    "Llama",   "was",      "x86_64",     "don't",   "WE'RE",
        "3.14",   "1,000",   "naïve",    "über",       "ПРИВЕТ",  "мир",
        "東京",   "日本語",  "你好",     "世界。",     "😀",       "👩‍🚀",
        "한국어", "ไทย",     "foo()",    "==",         "->",      "https://a.b/c?d=e",
        "id5",    "5th",     "l'été",    "\"quoted\"", "_under_", "<b>",
        "a1b2",   "e\u0301", "İstanbul", "\u00a0",     "…",       "½",
        "Ⅳ",      "٣٤٥",     "नमस्ते"};
    return kWords[below(sizeof kWords / sizeof *kWords)];
  }
  const char* gap() {
    static constexpr const char* kGaps[] = {
        " ",  " ", " ",    "  ", "\n", "\n\n", " \n",    "\n ", "\t", "\r\n", ", ", ". ",
        "; ", "",  "    ", ": ", "-",  "/",    "\u3000", "、",  "。", "　",   "\v", "=\""};
    return kGaps[below(sizeof kGaps / sizeof *kGaps)];
  }

  std::string text(int kind, size_t length) {
    std::string text;
    static constexpr const char* kBase64 =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while (text.size() < length) {
      switch (kind) {
        case 0:
          text += one_of(kBase64);
          break;
        case 1:
          text += one_of("0123456789abcdef");
          break;
        case 2:
          text += word();
          text += gap();
          break;
        case 3:  // minified JSON
          text += "{\"" + std::string(word()) + "\":" + std::to_string(below(100000)) + ",\"k\":[" +
                  std::to_string(below(10)) + ".5,true,null,\"" + word() + "\"]},";
          break;
        case 4:  // numbers in columns
          text += std::to_string(below(10000000)) + (below(8) == 0 ? "\n" : " ");
          break;
        case 5:  // code
          text += std::string(below(6) * 2, ' ') + "const " + word() + " = f" +
                  std::to_string(below(99)) + "(a, b); // " + word() + "\n";
          break;
        case 6:
          text += word();
          if (below(9) == 0) text += std::string(below(40), below(2) == 0 ? ' ' : '\n');
          break;
        case 7:
          text += one_of(" \n\t.,;:'\"!?-_abAB01");
          break;
        default:
          text += below(3) == 0 ? gap() : word();
          break;
      }
    }
    return text;
  }

 private:
  std::mt19937 random_;
};

Tokens reference(const Vocabulary& vocabulary, const std::string& text) {
  Tokens tokens(text.size() + 16);
  cria::with_stack(size_t{64} << 20, [&] {
    const int32_t count =
        llama_tokenize(vocabulary.handle(), text.data(), static_cast<int32_t>(text.size()),
                       tokens.data(), static_cast<int32_t>(tokens.size()), false, false);
    CHECK(count >= 0);
    tokens.resize(static_cast<size_t>(count));
  });
  return tokens;
}

size_t differ_at(const Tokens& a, const Tokens& b) {
  size_t at = 0;
  while (at < a.size() && at < b.size() && a[at] == b[at])
    ++at;
  return at;
}

constexpr int kKinds = 9;

TEST(pieces_have_the_tokens_of_the_whole) {
  for (const std::string& file : files) {
    const std::shared_ptr<Model> model = load(file);
    const Vocabulary& vocabulary = model->vocabulary();
    for (int kind = 0; kind < kKinds; ++kind) {
      Writer writer(static_cast<uint32_t>(kind) + 1);
      const std::string text = writer.text(kind, 150000);
      const Tokens expected = reference(vocabulary, text);
      const Tokens got = vocabulary.tokenize(text, false);
      if (got == expected) continue;
      const size_t at = differ_at(got, expected);
      harness::fail(__FILE__, __LINE__,
                    file + ", kind " + std::to_string(kind) + ": token " + std::to_string(at) +
                        " of " + std::to_string(expected.size()));
    }
  }
}

// Every border there is, and not only the few that a long text is cut at.
TEST(every_border_is_one) {
  for (const std::string& file : files) {
    const std::shared_ptr<Model> model = load(file);
    const Vocabulary& vocabulary = model->vocabulary();
    const TokenBorders borders(vocabulary);
    const size_t frame = borders.behind_newline() ? vocabulary.tokenize("\n", false).size() : 0;
    size_t found = 0;
    for (int kind = 0; kind < kKinds; ++kind) {
      Writer writer(static_cast<uint32_t>(kind) + 100);
      for (int round = 0; round < 60; ++round) {
        const std::string text = writer.text(kind, 120);
        Tokens joined;
        for (size_t begin = 0; begin < text.size();) {
          const size_t end = borders.next(text, begin + 1);
          const bool framed = begin > 0 && frame > 0;
          const Tokens piece =
              vocabulary.tokenize((framed ? "\n" : "") + text.substr(begin, end - begin), false);
          joined.insert(joined.end(), piece.begin() + (framed ? static_cast<long>(frame) : 0),
                        piece.end());
          found += end < text.size() ? 1 : 0;
          begin = end;
        }
        if (joined == reference(vocabulary, text)) continue;
        harness::fail(__FILE__, __LINE__,
                      file + ", kind " + std::to_string(kind) + ": " + harness::show(text));
      }
    }
    const enum llama_vocab_type type = llama_vocab_type(vocabulary.handle());
    const bool everywhere = type == LLAMA_VOCAB_TYPE_BPE || type == LLAMA_VOCAB_TYPE_SPM;
    if (found < (everywhere ? 2000U : 500U)) {
      harness::fail(__FILE__, __LINE__, file + " has few borders: " + std::to_string(found));
    }
  }
}

TEST(a_watch_ends_a_text) {
  const std::shared_ptr<Model> model = load(files.front());
  Writer writer(7);
  const std::string text = writer.text(4, 1000000);
  int asked = 0;
  const TokenWatch watch([&](const TokenWatch::Progress& progress) {
    CHECK_EQ(progress.length, text.size());
    return ++asked < 3;
  });
  const Tokens some = model->vocabulary().tokenize(text, false);
  CHECK_EQ(asked, 3);
  CHECK(some.size() > 5000 && some.size() < 100000);
}

// 300,000 bytes without a border.
TEST(what_cannot_be_cut_is_left_behind) {
  const std::shared_ptr<Model> model = load(files.front());
  const std::string text(300000, '!');
  int asked = 0;
  const TokenWatch watch([&](const TokenWatch::Progress&) { return ++asked < 2; });
  CHECK_EQ(model->vocabulary().tokenize(text, false).size(), 1U);
  CHECK_EQ(asked, 2);
}

}  // namespace

int main(int argc, char** argv) {
  cria::backend::start();
  for (int i = 1; i < argc; ++i)
    files.emplace_back(argv[i]);
  char* program[] = {argv[0], nullptr};
  const int status = harness::run(1, program);
  // Work that was left behind goes on and uses llama.cpp's statics, which a return would destroy.
  // The addon never destroys them: process_exit.cpp.
  std::fflush(nullptr);
  std::_Exit(status);
}
