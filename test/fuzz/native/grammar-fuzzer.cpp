// Grammars such as lib/sampling/gbnf lets through, on the demo model's vocabulary
// ($CRIA_TEST_MODEL): all that may come together is what may come one by one, and what is allowed
// is accepted.
#include <fuzzer/FuzzedDataProvider.h>

#include <string>

#include "../../native/random_grammar.h"
#include "core/model/error.h"
#include "core/sampling/grammar_filter.h"
#include "demo_vocabulary.h"
#include "property.h"

namespace {

constexpr int kTokens = 4;

class Input {
 public:
  Input(const uint8_t* data, size_t size) : provider_(data, size) {}
  uint32_t between(uint32_t low, uint32_t high) {
    return provider_.ConsumeIntegralInRange(low, high);
  }

 private:
  FuzzedDataProvider provider_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const cria::Vocabulary& vocabulary = fuzz::demo_vocabulary();
  Input input(data, size);
  cria::step::Grammar grammar;
  const auto tokens = static_cast<uint32_t>(vocabulary.size());
  grammar.source = RandomGrammar<Input>(input, input.between(0, 3) == 0 ? tokens : 0).write();
  grammar.root = "root";
  try {
    cria::GrammarFilter filter(vocabulary, grammar);
    for (int i = 0; i < kTokens; ++i) {
      const cria::Tokens allowed = filter.allowed();
      cria::Tokens one_by_one;
      for (llama_token token = 0; token < vocabulary.size(); ++token) {
        if (filter.allows(token)) one_by_one.push_back(token);
      }
      DEMAND(allowed == one_by_one);
      // A rule may take a token that is the beginning of a character, and have no token for the
      // rest.
      if (allowed.empty()) break;
      const llama_token chosen =
          allowed[input.between(0, static_cast<uint32_t>(allowed.size() - 1))];
      filter.accept(chosen);
      if (vocabulary.ends_generation(chosen)) break;
    }
  } catch (const cria::Error& error) {
    DEMAND(std::string(error.code()) == cria::code::kGrammarInvalid);
  }
  return 0;
}
