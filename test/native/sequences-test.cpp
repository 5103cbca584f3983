// Sequences driven by hand through cria::Context, beside generations: in a context that is full,
// disposed and aborted in the middle, saved and restored.
//
//   cria-sequences-test MODEL [tests…]

#include <fstream>
#include <random>
#include <thread>

#include "client.h"
#include "temporary_file.h"

namespace command = cria::command;
using cria::RequestId;
using cria::SequenceId;
using cria::Tokens;
using demo::Client;
using demo::ContextOptions;
using demo::endless;
using demo::joined;
using demo::random_text;
using demo::Request;
using demo::small;

namespace {

cria::Prompt prompt_of(const Tokens& tokens) { return {{tokens}, false}; }

SequenceId create(Client& client) { return client.answer(command::Create{}).sequence; }

// `count` tokens behind the last one, greedy, as a user would.
Tokens go_on(Client& client, SequenceId sequence, int count) {
  Tokens chosen;
  for (int i = 0; i < count; ++i) {
    chosen.push_back(client.answer(command::Sample{sequence, 1, {cria::step::Greedy{}}, 0}).token);
    client.answer(command::Evaluate{sequence, prompt_of({chosen.back()})});
  }
  return chosen;
}

// To be used with demo::Unrounded.
void unround(ContextOptions& options) {
  options.flash_attention = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  options.kv_cache_type_key = options.kv_cache_type_value = GGML_TYPE_F32;
}

// As in use, in streams of their own, where what is evaluated in the same pieces is the same to the
// bit; and, in both layouts, where nothing is rounded to fewer than 32 bits: there, what is
// evaluated in other pieces or with others' cells between, is the same but for the order of sums.
void for_each_layout(ContextOptions options, const std::function<void(ContextOptions)>& body) {
  body(options);
  const demo::Unrounded model;
  unround(options);
  body(options);
  options.unified_kv_cache = true;
  body(options);
}

bool rounds(const ContextOptions& options) { return options.kv_cache_type_key != GGML_TYPE_F32; }

// These are the tokens that greedy choice gives.
void check_greedy(const ContextOptions& options, const Tokens& prompt, const Tokens& chosen,
                  bool ends = true) {
  demo::Shape shape;
  shape.micro_batch = options.micro_batch_size;
  shape.rounds = rounds(options);
  const float tolerance = shape.rounds ? 0 : demo::kNearTie;
  CHECK(demo::gap(prompt, chosen, shape, ends) <= tolerance);
}

// The same where the prompt was evaluated in other pieces than the greedy loop's.
void check_greedy_in_pieces(const ContextOptions& options, const Tokens& prompt,
                            const Tokens& chosen) {
  if (!rounds(options)) check_greedy(options, prompt, chosen);
}

std::shared_ptr<cria::Model> with_override(const std::string& key, double value) {
  cria::ModelOptions options;
  options.path = demo::path();
  options.metadata_overrides.emplace_back(key, value);
  return cria::Model::load(options, [](float) { return true; });
}

}  // namespace

TEST(beside_generations_nobody_gets_anothers_slot) {
  for_each_layout(small(4), [](const ContextOptions& options) {
    Client client(options);
    client.open();
    std::mt19937 random(1);
    const std::vector<Tokens> prompts{random_text(random, 30), random_text(random, 90)};
    std::vector<Tokens> said(2);
    std::vector<SequenceId> sequences;
    for (const Tokens& prompt : prompts) {
      sequences.push_back(create(client));
      client.answer(command::Evaluate{sequences.back(), prompt_of(prompt)});
    }
    std::map<RequestId, Tokens> asked;
    for (RequestId id = 1; id <= 12; ++id) {
      asked[id] = random_text(random, 1 + random() % 100);
      client.submit(id, [&](Request& request) {
        endless(request);
        request.prompt.segments = {asked[id]};
        request.max_tokens = static_cast<int32_t>(1 + random() % 30);
        request.reuse = cria::Reuse::kNone;
      });
    }
    for (int round = 0; round < 20; ++round) {
      for (size_t i = 0; i < 2; ++i)
        said[i] = joined(said[i], go_on(client, sequences[i], 1));
    }
    for (const auto& [id, prompt] : asked) {
      client.read_to_end({id});
      check_greedy(options, prompt, client.stories[id].tokens, false);
    }
    for (size_t i = 0; i < 2; ++i)
      check_greedy(options, prompts[i], said[i]);
  });
}

TEST(a_fork_goes_its_own_way_from_the_same_place) {
  for_each_layout(small(3), [](const ContextOptions& options) {
    Client client(options);
    client.open();
    std::mt19937 random(2);
    const Tokens prompt = random_text(random, 70);
    const Tokens turn = random_text(random, 10);
    const SequenceId original = create(client);
    const SequenceId empty = client.answer(command::Fork{original}).sequence;  // of nothing
    client.answer(command::Evaluate{original, prompt_of(prompt)});
    const SequenceId other = client.answer(command::Fork{original}).sequence;
    CHECK_EQ(client.refusal(command::Fork{original}), "ERR_CONTEXT_FULL");
    CHECK_EQ(client.refusal(command::Create{}), "ERR_CONTEXT_FULL");

    client.answer(command::Evaluate{other, prompt_of(turn)});
    client.answer(command::Evaluate{empty, prompt_of(turn)});
    const Tokens straight = go_on(client, original, 8);
    check_greedy(options, prompt, straight);
    check_greedy_in_pieces(options, joined(prompt, turn), go_on(client, other, 8));
    check_greedy(options, turn, go_on(client, empty, 8));

    client.answer(command::Dispose{other});
    const SequenceId again = client.answer(command::Fork{original}).sequence;
    client.answer(command::Trim{again, 70});
    CHECK(client.answer(command::Evaluate{again, prompt_of({straight[0]})}).tokens ==
          joined(prompt, {straight[0]}));
    check_greedy(options, prompt, joined({straight[0]}, go_on(client, again, 1)));
  });
}

TEST(disposed_or_aborted_while_it_evaluates) {
  ContextOptions wide = small(2, 2048);
  wide.micro_batch_size = 64;
  for_each_layout(wide, [](const ContextOptions& options) {
    Client client(options);
    client.open();
    std::mt19937 random(3);
    const Tokens prompt = random_text(random, 100);
    const Tokens longer = random_text(random, 1500);
    const SequenceId kept = create(client);
    client.answer(command::Evaluate{kept, prompt_of(prompt)});
    const auto logits = *client.answer(command::Logits{kept}).values;
    // Into the prompt by so many batches, however long they take.
    const auto evaluate_some = [&](int batches) {
      const auto& done = client.context().counters()->batches;
      const int64_t enough = done.load() + batches;
      demo::wait_for([&] { return done.load() >= enough; });
    };
    for (int round = 0; round < 6; ++round) {
      const auto aborted = client.submit(1 + round, command::Evaluate{kept, prompt_of(longer)});
      evaluate_some(2 * round);
      aborted->cancelled = true;
      client.context().interrupt();
      client.read_to_end({1 + round});
      // It may have been faster: then it is undone here.
      const bool faster = !client.stories[1 + round].answer->cancelled;
      if (faster) client.answer(command::Trim{kept, static_cast<int32_t>(prompt.size())});
      CHECK_EQ(client.answer(command::Logits{kept}).values->size(), logits.size());
      if (!faster) CHECK(*client.answer(command::Logits{kept}).values == logits);
      CHECK_EQ(client.context().counters()->active.load(), 0);

      const SequenceId gone = create(client);
      client.submit(100 + round, command::Evaluate{gone, prompt_of(longer)});
      evaluate_some(2 * round);
      client.answer(command::Dispose{gone});
      client.read_to_end({100 + round});
      CHECK_EQ(client.refusal(command::Logits{gone}), "ERR_DISPOSED");
    }
    check_greedy(options, prompt, go_on(client, kept, 5));
  });
}

TEST(generations_do_not_wait_for_a_slot_that_is_kept) {
  for_each_layout(small(1), [](const ContextOptions& options) {
    Client client(options);
    client.open();
    const SequenceId keeper = create(client);
    client.submit(1, endless);
    client.read_to_end({1});
    CHECK_EQ(std::string(client.stories[1].failure->code), "ERR_CONTEXT_FULL");
    client.answer(command::Dispose{keeper});
    client.submit(2, [](Request& request) {
      endless(request);
      request.max_tokens = 3;
    });
    client.read_to_end({2});
    CHECK_EQ(client.stories[2].tokens.size(), size_t{3});
  });
}

TEST(saved_and_restored_it_goes_on_the_same) {
  for_each_layout(small(3), [](const ContextOptions& options) {
    const demo::TemporaryFile file;
    std::mt19937 random(4);
    const Tokens prompt = random_text(random, 80);
    {
      Client client(options);
      client.open();
      create(client);
      const SequenceId saved = create(client);
      client.answer(command::Evaluate{saved, prompt_of(prompt)});
      client.answer(command::Save{saved, file.path()});
      check_greedy(options, prompt, go_on(client, saved, 10));
      client.answer(command::Restore{saved, file.path()});  // onto what was there
      // A state has no logits: its last token is evaluated once more, and alone.
      check_greedy_in_pieces(options, prompt, go_on(client, saved, 10));
    }
    Client client(options);
    client.open();
    const SequenceId restored = create(client);
    CHECK(client.answer(command::Restore{restored, file.path()}).tokens == prompt);
    check_greedy_in_pieces(options, prompt, go_on(client, restored, 10));
    const SequenceId empty = create(client);
    client.answer(command::Save{empty, file.path()});
    CHECK(client.answer(command::Restore{restored, file.path()}).tokens->empty());
    client.answer(command::Evaluate{restored, prompt_of(prompt)});
    check_greedy(options, prompt, go_on(client, restored, 10));
  });
}

TEST(another_models_file_or_caches_is_refused_and_changes_nothing) {
  const demo::TemporaryFile file;
  const demo::TemporaryFile later;
  std::mt19937 random(5);
  const Tokens prompt = random_text(random, 40);
  {
    Client client(small(2));
    client.open();
    const SequenceId saved = create(client);
    client.answer(command::Evaluate{saved, prompt_of(random_text(random, 90))});
    client.answer(command::Save{saved, file.path()});
  }
  const auto check = [&](const ContextOptions& options, const std::shared_ptr<cria::Model>& on) {
    Client client(options, on);
    client.open();
    const SequenceId sequence = create(client);
    client.answer(command::Evaluate{sequence, prompt_of(prompt)});
    const auto logits = *client.answer(command::Logits{sequence}).values;
    const cria::Failure failure =
        *client.carry_out(command::Restore{sequence, file.path()}).failure;
    CHECK_EQ(failure.code, "ERR_STATE_INVALID");
    CHECK(failure.message.find("was saved with another") != std::string::npos);
    CHECK(*client.answer(command::Logits{sequence}).values == logits);
    // What is saved after a refusal is whole.
    client.answer(command::Save{sequence, later.path()});
    CHECK(client.answer(command::Restore{sequence, later.path()}).tokens == prompt);
    CHECK_EQ(client.answer(command::Logits{sequence}).values->size(), logits.size());
  };
  check(small(2), with_override("llama.rope.freq_base", 10'000));
  ContextOptions options = small(2);
  options.kv_cache_type_key = GGML_TYPE_Q8_0;
  check(options, demo::model());
  options = small(2);
  options.kv_cache_type_value = GGML_TYPE_F32;
  check(options, demo::model());
  options = small(2);
  options.rope_frequency_base = 10'000;
  check(options, demo::model());
  // llama.cpp's state knows how many streams there were.
  check(small(3), demo::model());
  options = small(2);
  options.unified_kv_cache = true;
  check(options, demo::model());
}

TEST(what_nobody_uses_makes_room_for_what_is_restored) {
  const demo::TemporaryFile file;
  const demo::Unrounded model;
  ContextOptions options = small(3);
  unround(options);
  options.unified_kv_cache = true;
  options.kv_cache_size = 256;
  Client client(options);
  client.open();
  std::mt19937 random(6);
  const Tokens prompt = random_text(random, 200);
  const SequenceId sequence = create(client);
  client.answer(command::Evaluate{sequence, prompt_of(prompt)});
  client.answer(command::Save{sequence, file.path()});
  client.answer(command::Trim{sequence, 0});
  client.submit(1, [&](Request& request) {
    endless(request);
    request.prompt.segments = {random_text(random, 150)};
    request.max_tokens = 1;
  });
  client.read_to_end({1});
  CHECK(client.answer(command::Restore{sequence, file.path()}).tokens == prompt);
  check_greedy(options, prompt, go_on(client, sequence, 5));
}

int main(int argc, char** argv) { return demo::run(argc, argv); }
