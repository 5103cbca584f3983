// What a grammar's masks cost: which tokens may come next, at each token of given texts.
//
//   masks VOCABULARY.gguf CASES
//
// CASES is a file of grammars, each with texts behind it: "G 12\n" or "T 12\n", and so many bytes.
// One line of JSON: of each grammar, in microseconds, `first`: what it takes to read it and to make
// its first mask; of all masks behind it, `masks`; and of each text, how many of its bytes the
// grammar takes, `reached`, and whether it then may end, `ends`.

#include <llama.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/sampling/grammar_filter.h"
#include "program.h"

namespace {

using cria::GrammarFilter;
using cria::Vocabulary;

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

struct Figures {
  std::vector<double> first;
  std::vector<double> masks;
  std::vector<size_t> reached;
  std::vector<bool> ends;
};

class Case {
 public:
  Case(const Vocabulary& vocabulary, const std::string& source, Figures& figures)
      : vocabulary_(vocabulary), figures_(figures) {
    cria::step::Grammar grammar;
    grammar.source = source;
    grammar.root = "root";
    const Clock::time_point start = Clock::now();
    start_.emplace(vocabulary, grammar);
    start_->mask();
    figures.first.push_back(since(start));
  }

  void follow(const std::string& text) {
    GrammarFilter filter(*start_);
    size_t reached = 0;
    for (const llama_token token : vocabulary_.tokenize(text, /*special=*/false)) {
      if (reached > 0) measure(filter);
      if (!filter.allows(token)) break;
      filter.accept(token);
      std::string piece;
      vocabulary_.append_piece(token, /*special=*/false, piece);
      reached += piece.size();
    }
    measure(filter);
    figures_.reached.push_back(reached);
    figures_.ends.push_back(reached == text.size() && filter.allows(vocabulary_.eos()));
  }

 private:
  void measure(GrammarFilter& filter) {
    const Clock::time_point start = Clock::now();
    filter.mask();
    figures_.masks.push_back(since(start));
  }

  const Vocabulary& vocabulary_;
  Figures& figures_;
  std::optional<GrammarFilter> start_;
};

template <typename T>
void print(const char* name, const std::vector<T>& values) {
  std::printf("\"%s\":[", name);
  for (size_t i = 0; i < values.size(); ++i)
    std::printf("%s%.2f", i == 0 ? "" : ",", static_cast<double>(values[i]));
  std::printf("]");
}

void run(const std::vector<std::string>& args) {
  if (args.size() != 2) throw std::runtime_error("expected 2 arguments");
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  const ModelPtr model(llama_model_load_from_file(args[0].c_str(), params), llama_model_free);
  if (!model) throw std::runtime_error("cannot load " + args[0]);
  const Vocabulary vocabulary(llama_model_get_vocab(model.get()));
  // Once for a model, whatever its grammars.
  const Clock::time_point start = Clock::now();
  vocabulary.tree();
  const double tree = since(start);
  std::ifstream file(args[1], std::ios::binary);
  Figures figures;
  std::optional<Case> current;
  char kind = 0;
  size_t size = 0;
  while (file >> kind >> size) {
    file.get();
    std::string text(size, '\0');
    file.read(text.data(), static_cast<std::streamsize>(size));
    if (kind == 'G') {
      current.emplace(vocabulary, text, figures);
    } else if (current) {
      current->follow(text);
    }
  }
  std::printf("{\"vocabulary\":%d,\"tree\":%.0f,", vocabulary.size(), tree);
  print("first", figures.first);
  std::printf(",");
  print("masks", figures.masks);
  std::printf(",");
  print("reached", figures.reached);
  std::printf(",");
  print("ends", figures.ends);
  std::printf("}\n");
}

}  // namespace

int main(int argc, char** argv) { return run_program("masks", argc, argv, run); }
