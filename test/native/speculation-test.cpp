// Which tokens are proposed, and how many of them are worth a row.

#include "core/speculation/speculation.h"

#include <random>

#include "core/speculation/ngram_index.h"
#include "harness.h"

using cria::DraftRule;
using cria::NgramIndex;
using cria::Speculation;
using cria::Tokens;

namespace {

std::string text_of(const Tokens& tokens) {
  std::string text;
  for (const llama_token token : tokens)
    text += (text.empty() ? "" : " ") + std::to_string(token);
  return text;
}

std::string proposed(const Tokens& tokens, int32_t most) {
  NgramIndex index;
  index.update(tokens);
  Tokens proposal;
  index.propose(tokens, most, proposal);
  return text_of(proposal);
}

// The same by trying every place.
std::string by_trying(const Tokens& tokens, int32_t most) {
  const auto length = static_cast<int32_t>(tokens.size());
  int32_t best = -1;
  int32_t longest = 2;
  for (int32_t end = length - 1; end >= 3; --end) {
    int32_t match = 0;
    while (match < end && tokens[end - 1 - match] == tokens[length - 1 - match])
      ++match;
    if (match > longest) {
      best = end;
      longest = match;
    }
  }
  Tokens proposal;
  for (int32_t i = 0; best >= 0 && i < most; ++i)
    proposal.push_back(best + i < length ? tokens[best + i] : proposal[best + i - length]);
  return text_of(proposal);
}

}  // namespace

TEST(what_followed_the_last_tokens_is_proposed) {
  CHECK_EQ(proposed({1, 2, 3, 4, 5, 1, 2, 3}, 2), "4 5");
  CHECK_EQ(proposed({1, 2, 3, 4, 5, 1, 2, 3}, 1), "4");
  CHECK_EQ(proposed({1, 2, 3, 4, 5, 9, 2, 3}, 2), "");
  CHECK_EQ(proposed({1, 2}, 4), "");
  CHECK_EQ(proposed({}, 4), "");
}

TEST(the_longest_match_counts_and_of_equals_the_latest) {
  CHECK_EQ(proposed({7, 1, 2, 3, 4, 8, 1, 2, 3, 5, 9, 1, 2, 3}, 1), "5");
  CHECK_EQ(proposed({7, 1, 2, 3, 4, 8, 1, 2, 3, 5, 7, 1, 2, 3}, 1), "4");
}

TEST(a_text_that_repeats_itself_is_proposed_beyond_its_end) {
  CHECK_EQ(proposed({1, 2, 3, 1, 2, 3}, 7), "1 2 3 1 2 3 1");
  CHECK_EQ(proposed({5, 5, 5, 5}, 4), "5 5 5 5");
}

TEST(it_is_the_same_as_by_trying_every_place) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    // So few places that none is left out.
    Tokens tokens(random() % 40);
    for (llama_token& token : tokens)
      token = static_cast<llama_token>(random() % 3);
    NgramIndex index;
    Tokens text;
    for (const llama_token token : tokens) {
      text.push_back(token);
      if (random() % 2 == 0) index.update(text);
    }
    index.update(text);
    Tokens proposal;
    index.propose(text, 5, proposal);
    CHECK_EQ(text_of(proposal), by_trying(text, 5));
  }
}

TEST(right_guesses_make_longer_drafts_and_wrong_ones_end_them) {
  Tokens tokens;
  for (int i = 0; i < 400; ++i)
    tokens.push_back(i % 4);
  Speculation speculation({15, 0.3}, tokens);
  const size_t first = speculation.draft(tokens, {}, 100).size();
  CHECK(first > 0 && first < 15);
  for (int i = 0; i < 60; ++i) {
    speculation.draft(tokens, {}, 0);
    speculation.observe(tokens.size() % 4);
    tokens.push_back(static_cast<llama_token>(tokens.size() % 4));
  }
  CHECK(speculation.draft(tokens, {}, 100).size() > first);
  CHECK_EQ(speculation.draft(tokens, {}, 2).size(), 2U);
  CHECK_EQ(speculation.draft(tokens, {}, -5).size(), 0U);
  for (int i = 0; i < 60; ++i) {
    speculation.draft(tokens, {}, 0);
    speculation.observe(9);
  }
  CHECK_EQ(speculation.draft(tokens, {}, 100).size(), 0U);
  // What is guessed and not evaluated is watched, too, so they begin again.
  for (int i = 0; i < 60; ++i) {
    speculation.draft(tokens, {}, 0);
    speculation.observe(tokens.size() % 4);
    tokens.push_back(static_cast<llama_token>(tokens.size() % 4));
  }
  CHECK(speculation.draft(tokens, {}, 100).size() > first);
}

TEST(what_a_grammar_forces_goes_first_and_is_judged_by_itself) {
  const Tokens tokens(200, 1);
  const Tokens forced{7, 8, 9};
  Speculation speculation({15, 0.3}, tokens);
  CHECK_EQ(text_of(speculation.draft(tokens, forced, 100)), "7 8 9");
  CHECK_EQ(text_of(speculation.draft(tokens, forced, 2)), "7 8");
  for (int i = 0; i < 60; ++i) {
    speculation.draft(tokens, forced, 0);
    speculation.observe(5);
  }
  CHECK_EQ(speculation.draft(tokens, forced, 100).size(), 0U);
  CHECK(!speculation.draft(tokens, {}, 100).empty());
}

TEST(a_draft_is_no_longer_than_it_may_be) {
  Tokens tokens(200, 1);
  Speculation speculation({4, 0.01}, tokens);
  CHECK_EQ(speculation.draft(tokens, {}, 100).size(), 4U);
  Speculation never({15, 1.0}, tokens);
  CHECK_EQ(never.draft(tokens, {}, 100).size(), 0U);
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
