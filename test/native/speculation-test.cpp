// Which tokens are proposed, and how many of them are worth a row.

#include "core/speculation/speculation.h"

#include <random>

#include "harness.h"

using cria::DraftRule;
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
  Speculation speculation({most, 0.0}, tokens);
  return text_of(speculation.draft(tokens, {}, most));
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
    Speculation speculation({5, 0.0}, {});
    Tokens text;
    for (const llama_token token : tokens) {
      text.push_back(token);
      if (random() % 2 == 0) speculation.draft(text, {}, 5);
    }
    const std::string expected = by_trying(text, 5);
    const std::string draft = text_of(speculation.draft(text, {}, 5));
    CHECK(draft == expected || expected.empty());
  }
}

TEST(behind_a_token_in_the_place_of_another_the_source_goes_on) {
  Tokens tokens{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  Speculation speculation({15, 0.0}, tokens);
  const auto say = [&](llama_token token) {
    speculation.observe(token);
    tokens.push_back(token);
  };
  const auto next = [&] { return text_of(speculation.draft(tokens, {}, 4)); };
  for (const llama_token token : {1, 2, 3})
    say(token);
  CHECK_EQ(next(), "4 5 6 7");
  // Two of the draft, then another token.
  for (const llama_token token : {4, 5, 77})
    say(token);
  CHECK_EQ(next(), "7 8 9 10");
  say(88);
  CHECK_EQ(next(), "8 9 10 11");
  say(8);
  CHECK_EQ(next(), "9 10 11 12");
  for (const llama_token token : {9, 10})
    say(token);
  CHECK_EQ(next(), "11 12 1 2");
  // Something else altogether.
  for (const llama_token token : {90, 91, 92}) {
    say(token);
    CHECK(!next().empty());
  }
  say(93);
  CHECK_EQ(next(), "");
  for (const llama_token token : {3, 4, 5})
    say(token);
  CHECK_EQ(next(), "77 88 8 9");
}

TEST(behind_tokens_put_in_or_left_out_the_source_goes_on) {
  Tokens tokens{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  Speculation speculation({15, 0.0}, tokens);
  const auto next_behind = [&](const Tokens& said) {
    std::string draft;
    for (const llama_token token : said) {
      speculation.observe(token);
      tokens.push_back(token);
      draft = text_of(speculation.draft(tokens, {}, 3));
    }
    return draft;
  };
  CHECK_EQ(next_behind({1, 2, 3}), "4 5 6");
  CHECK_EQ(next_behind({77, 4}), "5 6 7");  // put in
  CHECK_EQ(next_behind({5, 6}), "7 8 9");
  CHECK_EQ(next_behind({10, 11}), "12 13 14");  // 7, 8, 9 left out
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
