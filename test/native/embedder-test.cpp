// cria::Context that makes vectors of texts, without JS: many at once, in pieces, cancelled and
// torn down in the middle.
//
//   cria-embedder-test MODEL [tests…]      a GGUF model that can generate; small ones are quick

#include <cmath>
#include <random>
#include <thread>

#include "client.h"

using cria::RequestId;
using cria::command::Embed;
using demo::Client;
using demo::ContextOptions;
using demo::Story;

namespace {

// Of a normalized vector's numbers: the order of sums, where nothing is rounded to fewer than 32
// bits.
constexpr float kNear = 1e-4F;

ContextOptions embedding(enum llama_pooling_type pooling, int32_t micro_batch = 512) {
  ContextOptions options = demo::small(16, 1024);
  options.embeddings = true;
  options.pooling = pooling;
  options.micro_batch_size = micro_batch;
  options.flash_attention = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  options.kv_cache_type_key = options.kv_cache_type_value = GGML_TYPE_F32;
  return options;
}

std::string text(size_t words) {
  std::string all;
  for (size_t i = 0; i < words; ++i)
    all += i % 3 == 0 ? "a small llama " : "lives in the mountains ";
  return all;
}

std::vector<std::string> texts(size_t count) {
  std::mt19937 random(17);
  std::vector<std::string> all;
  for (size_t i = 0; i < count; ++i)
    all.push_back(text(1 + random() % 30));
  all.push_back(text(200));
  return all;
}

std::vector<float> embed(Client& client, const std::string& text) {
  return *client.answer(Embed{text, true}).values;
}

std::vector<std::vector<float>> embed_all(Client& client, const std::vector<std::string>& all) {
  std::vector<RequestId> ids;
  for (const std::string& one : all) {
    ids.push_back(static_cast<RequestId>(ids.size() + 1));
    client.submit(ids.back(), Embed{one, true});
  }
  client.read_to_end(ids);
  std::vector<std::vector<float>> vectors;
  for (const RequestId id : ids) {
    CHECK(client.stories[id].answer.has_value());
    vectors.push_back(*client.stories[id].answer->values);
  }
  return vectors;
}

void check_together_as_alone(enum llama_pooling_type pooling) {
  const demo::Unrounded model;
  const std::vector<std::string> all = texts(12);
  Client together(embedding(pooling));
  Client pieces(embedding(pooling, 24));
  Client alone(embedding(pooling));
  for (Client* client : {&together, &pieces, &alone})
    client->open();
  const auto vectors = embed_all(together, all);
  const auto in_pieces = embed_all(pieces, all);
  for (size_t i = 0; i < all.size(); ++i) {
    const std::vector<float> vector = embed(alone, all[i]);
    CHECK(demo::distance(vectors[i], vector) < kNear);
    CHECK(demo::distance(in_pieces[i], vector) < kNear);
  }
}

}  // namespace

TEST(many_at_once_have_the_mean_that_each_has_alone) {
  check_together_as_alone(LLAMA_POOLING_TYPE_MEAN);
}
TEST(many_at_once_have_the_first_token_that_each_has_alone) {
  check_together_as_alone(LLAMA_POOLING_TYPE_CLS);
}
TEST(many_at_once_have_the_last_token_that_each_has_alone) {
  check_together_as_alone(LLAMA_POOLING_TYPE_LAST);
}
TEST(many_at_once_have_all_the_tokens_that_each_has_alone) {
  check_together_as_alone(LLAMA_POOLING_TYPE_NONE);
}

TEST(the_pieces_of_a_long_text_are_evaluated_once) {
  Client client(embedding(LLAMA_POOLING_TYPE_LAST, 16));
  client.open();
  client.submit(1, Embed{text(200), true});
  client.submit(2, Embed{text(1), true});
  client.read_to_end({2});
  client.read_to_end({1});
  CHECK(client.stories[1].answer.has_value());
  const int64_t tokens = client.context().counters()->decoded_tokens.load();
  CHECK_EQ(tokens, client.stories[1].answer->count + client.stories[2].answer->count);
}

TEST(a_text_that_is_too_long_is_an_error_of_its_own) {
  Client client(embedding(LLAMA_POOLING_TYPE_MEAN));
  client.open();
  client.submit(1, Embed{text(1000), true});
  client.submit(2, Embed{text(3), true});
  client.read_to_end({1, 2});
  CHECK_EQ(client.stories[1].failure->code, "ERR_CONTEXT_FULL");
  CHECK(client.stories[2].answer.has_value());
}

TEST(it_does_nothing_else) {
  Client client(embedding(LLAMA_POOLING_TYPE_MEAN));
  client.open();
  client.submit(1, [](demo::Request& request) { request.prompt.segments = {cria::Tokens{1}}; });
  client.read_to_end({1});
  CHECK_EQ(client.stories[1].failure->code, "ERR_UNSUPPORTED");
  CHECK_EQ(client.refusal(cria::command::Create{}), "ERR_UNSUPPORTED");
  CHECK_EQ(client.refusal(cria::command::Score{}), "ERR_UNSUPPORTED");
  CHECK_EQ(client.refusal(cria::command::Rank{"a", "b"}), "ERR_UNSUPPORTED");
  Client other(demo::small(1));
  other.open();
  CHECK_EQ(other.refusal(Embed{"a", true}), "ERR_UNSUPPORTED");
}

TEST(what_is_cancelled_ends_and_its_neighbours_do_not_feel_it) {
  const demo::Unrounded model;
  Client client(embedding(LLAMA_POOLING_TYPE_MEAN, 16));
  client.open();
  const std::vector<float> before = embed(client, text(5));
  for (RequestId id = 1; id < 40; id += 2) {
    const auto long_one = client.submit(id, Embed{text(200), true});
    client.submit(id + 1, Embed{text(5), true});
    // Into the long one by so many batches, however long they take.
    const auto& counters = *client.context().counters();
    const int64_t enough = counters.batches.load() + id / 4;
    demo::wait_for([&] { return counters.batches.load() >= enough; });
    long_one->cancelled.store(true);
    client.context().interrupt();
    client.read_to_end({id, id + 1});
    CHECK(demo::distance(*client.stories[id + 1].answer->values, before) < kNear);
  }
}

TEST(it_may_be_closed_at_any_moment) {
  for (int i = 0; i < 12; ++i) {
    Client client(embedding(LLAMA_POOLING_TYPE_MEAN, 16));
    if (i == 0) continue;  // while it opens
    client.open();
    for (RequestId id = 1; id <= 20; ++id)
      client.submit(id, Embed{text(static_cast<size_t>(id) * 8), true});
    const auto& batches = client.context().counters()->batches;
    demo::wait_for([&] { return batches.load() >= i; });
    client.close();
  }
}

int main(int argc, char** argv) { return demo::run(argc, argv); }
