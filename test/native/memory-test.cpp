// gpuLayers "auto", the options for several GPUs, and what is measured for each device, compared
// with what two GPUs that count every byte are really asked for: cria-memory-test MODEL.
#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "client.h"
#include "core/engine/context_params.h"
#include "core/model/model_params.h"
#include "fake_gpu.h"

namespace {

using cria::ContextInfo;
using cria::ContextOptions;
using cria::MemoryBreakdown;
using cria::Model;
using cria::ModelOptions;

constexpr uint64_t kPlenty = uint64_t{1} << 30;
constexpr int32_t kAll = ModelOptions::kAllLayers;
const auto kGoOn = [] { return true; };

void give(uint64_t first, uint64_t second) {
  fake::gpu(0).capacity = first;
  fake::gpu(1).capacity = second;
}

ModelOptions load_options(int32_t layers) {
  ModelOptions options;
  options.path = demo::path();
  options.gpu_layers = layers;
  return options;
}

std::shared_ptr<Model> load(const ModelOptions& options) {
  return Model::load(options, [](float) { return true; });
}

// The code of the error.
std::string refusal(const ModelOptions& options) {
  try {
    load(options);
  } catch (const cria::Error& error) {
    return error.code();
  }
  return "loaded";
}

// As createContext() has them by default.
ContextOptions usual() {
  ContextOptions options;
  options.context_size = options.kv_cache_size = 2048;
  options.batch_size = 2048;
  options.micro_batch_size = 512;
  options.threads = 1;
  return options;
}

struct Opened {
  std::unique_ptr<cria::Context> context;
  ContextInfo info;
};

Opened open(const std::shared_ptr<Model>& model, const ContextOptions& options) {
  auto told = std::make_shared<std::promise<ContextInfo>>();
  cria::Context::Events events;
  events.opened = [told](const ContextInfo& info) { told->set_value(info); };
  events.failed = [told](const cria::Failure& failure) {
    told->set_exception(std::make_exception_ptr(std::runtime_error(failure.message)));
  };
  events.news = events.closed = [] {};
  Opened opened;
  opened.context = std::make_unique<cria::Context>(model, options, events);
  opened.info = told->get_future().get();
  return opened;
}

uint64_t total(const cria::DeviceMemory& one) { return one.model + one.cache + one.compute; }

// The part of the device of this name.
cria::DeviceMemory part_of(const MemoryBreakdown& memory, const std::string& name) {
  for (const auto& one : memory)
    if (name == ggml_backend_dev_name(one.device)) return one;
  return {};
}

// Weights and cache are known to the byte. What is computed in grows by a tensor sometimes, when
// llama.cpp lays out the same graph again.
void expect_near(const cria::DeviceMemory& measured, const cria::DeviceMemory& real) {
  CHECK_EQ(measured.model, real.model);
  CHECK_EQ(measured.cache, real.cache);
  const auto compute = static_cast<double>(real.compute);
  CHECK(std::abs(static_cast<double>(measured.compute) - compute) <= 0.1 * compute);
}

// Measured before and after the load, and made for real.
void expect_measured(const ModelOptions& how, const ContextOptions& options) {
  ModelOptions outline = how;
  outline.vocab_only = true;
  const MemoryBreakdown before = cria::measure_context(*load(outline), options, kGoOn);
  const std::shared_ptr<Model> model = load(how);
  const MemoryBreakdown after = cria::measure_context(*model, options, kGoOn);
  const Opened opened = open(model, options);
  for (int i = 0; i < 2; ++i) {
    const std::string& name = fake::gpu(i).name();
    const cria::DeviceMemory real = part_of(opened.info.memory, name);
    CHECK_EQ(total(real), fake::gpu(i).allocated());
    expect_near(part_of(before, name), real);
    expect_near(part_of(after, name), real);
  }
  CHECK_EQ(after.front().cache, opened.info.memory.front().cache);
  CHECK_EQ(before.front().model, after.front().model);
}

// What the first GPU, alone, is asked for with so many layers and a usual context.
uint64_t need_of(int32_t layers) {
  ModelOptions options = load_options(layers);
  options.devices = {fake::gpu(0).name()};
  const std::shared_ptr<Model> model = load(options);
  const Opened opened = open(model, usual());
  return fake::gpu(0).allocated();
}

int32_t layers_in(const std::shared_ptr<Model>& model) {
  const int32_t layers = model->outline(kGoOn).options().gpu_layers;
  return layers < 0 ? llama_model_n_layer(model->handle()) + 1 : layers;
}

TEST(as_many_layers_as_fit_are_on_the_gpu_and_one_more_would_not_fit) {
  give(kPlenty, 1);
  const int32_t all = llama_model_n_layer(demo::model()->handle()) + 1;
  std::vector<uint64_t> needs;
  for (int32_t layers = 0; layers <= all; ++layers)
    needs.push_back(need_of(layers));
  CHECK(std::is_sorted(needs.begin() + 1, needs.end()));

  const auto expected = [&](uint64_t capacity) {
    int32_t most = 0;
    for (int32_t layers = 1; layers <= all; ++layers)
      if (needs[static_cast<size_t>(layers)] + capacity / 10 <= capacity) most = layers;
    return most;
  };
  ModelOptions options = load_options(ModelOptions::kFittingLayers);
  options.devices = {fake::gpu(0).name()};
  std::map<int32_t, int> found;
  for (uint64_t capacity = needs[1] / 2; capacity < needs.back() * 5 / 4; capacity += 300'000) {
    give(capacity, 1);
    const std::shared_ptr<Model> model = load(options);
    CHECK_EQ(layers_in(model), expected(capacity));
    ++found[layers_in(model)];
    const Opened opened = open(model, usual());  // with as much memory as there is
    CHECK(fake::gpu(0).allocated() <= capacity);
  }
  CHECK_EQ(found.size(), needs.size());  // from none to all
}

TEST(auto_is_none_if_no_gpu_is_named_and_all_if_there_is_plenty) {
  give(kPlenty, kPlenty);
  CHECK_EQ(load(load_options(ModelOptions::kFittingLayers))->outline(kGoOn).options().gpu_layers,
           kAll);
  CHECK(fake::gpu(0).allocated() == 0 && fake::gpu(1).allocated() == 0);
  ModelOptions options = load_options(ModelOptions::kFittingLayers);
  options.devices = {"CPU"};
  const std::shared_ptr<Model> model = load(options);
  CHECK_EQ(layers_in(model), 0);
  CHECK(fake::gpu(0).allocated() == 0 && fake::gpu(1).allocated() == 0);
}

TEST(what_is_measured_is_what_each_gpu_is_asked_for) {
  give(kPlenty, kPlenty);
  for (const int32_t layers : {0, 1, 3, kAll}) {
    for (const std::vector<float>& split : {std::vector<float>{}, {3, 1}, {0, 1}}) {
      ModelOptions how = load_options(layers);
      how.tensor_split = split;
      expect_measured(how, usual());
      ContextOptions other = usual();
      other.sequences = 4;
      other.context_size = 300;
      other.kv_cache_size = 1200;
      other.micro_batch_size = 64;
      other.kv_cache_type_key = other.kv_cache_type_value = GGML_TYPE_Q8_0;
      expect_measured(how, other);
      other.unified_kv_cache = true;
      other.kv_cache_size = 700;
      other.kv_cache_type_key = other.kv_cache_type_value = GGML_TYPE_F32;
      other.flash_attention = LLAMA_FLASH_ATTN_TYPE_DISABLED;
      expect_measured(how, other);
    }
  }
}

TEST(contexts_for_embeddings_are_measured_too) {
  give(kPlenty, kPlenty);
  ContextOptions options = usual();
  options.embeddings = true;
  options.sequences = 16;
  for (const auto pooling : {LLAMA_POOLING_TYPE_MEAN, LLAMA_POOLING_TYPE_LAST}) {
    options.pooling = pooling;
    expect_measured(load_options(kAll), options);
  }
}

// The weights take memory, and a split by what is free afterwards would be another.
TEST(layers_are_split_by_free_memory_and_measured_as_they_were_split) {
  give(12'000'000, 4'000'000);
  expect_measured(load_options(2), usual());
  const std::shared_ptr<Model> model = load(load_options(kAll));
  CHECK(fake::gpu(0).allocated() > fake::gpu(1).allocated());
  const std::vector<float>& split = model->outline(kGoOn).options().tensor_split;
  CHECK_EQ(split.size(), 2U);
  CHECK_EQ(split[0], 12'000'000.0F);
  CHECK_EQ(split[1], 4'000'000.0F);
}

TEST(each_device_needs_room_for_its_own_part) {
  ModelOptions options = load_options(ModelOptions::kFittingLayers);
  options.tensor_split = {1, 1};
  give(kPlenty, 1);  // together they would have plenty
  CHECK_EQ(layers_in(load(options)) < 2, true);
  give(kPlenty, kPlenty);
  CHECK_EQ(layers_in(load(options)), llama_model_n_layer(demo::model()->handle()) + 1);
}

TEST(devices_are_used_in_the_order_in_which_they_are_named) {
  give(kPlenty, kPlenty);
  ModelOptions options = load_options(kAll);
  options.tensor_split = {1, 0};
  options.devices = {fake::gpu(1).name(), fake::gpu(0).name()};
  const std::shared_ptr<Model> model = load(options);
  CHECK_EQ(fake::gpu(0).allocated(), 0U);
  CHECK(fake::gpu(1).allocated() > 0);
  options.devices = {fake::gpu(0).name()};
  options.tensor_split = {};
  const uint64_t before = fake::gpu(1).allocated();
  const std::shared_ptr<Model> other = load(options);
  CHECK(fake::gpu(0).allocated() > 0);
  CHECK_EQ(fake::gpu(1).allocated(), before);
}

TEST(split_mode_none_puts_all_on_the_main_gpu) {
  give(kPlenty, kPlenty);
  ModelOptions options = load_options(kAll);
  options.split_mode = LLAMA_SPLIT_MODE_NONE;
  options.main_gpu = 1;
  expect_measured(options, usual());
  const std::shared_ptr<Model> model = load(options);
  CHECK_EQ(fake::gpu(0).allocated(), 0U);
  CHECK(fake::gpu(1).allocated() > 0);
  options.devices = {fake::gpu(1).name(), fake::gpu(0).name()};  // the index is one of these
  const std::shared_ptr<Model> other = load(options);
  CHECK(fake::gpu(0).allocated() > 0);
}

TEST(options_that_no_device_answers_to_are_refused) {
  ModelOptions options = load_options(kAll);
  options.devices = {"GPU2"};
  CHECK_EQ(refusal(options), "ERR_INVALID_ARGUMENT");
  options = load_options(kAll);
  options.split_mode = LLAMA_SPLIT_MODE_NONE;
  options.main_gpu = 2;
  CHECK_EQ(refusal(options), "ERR_INVALID_ARGUMENT");
  options = load_options(kAll);
  options.tensor_split = {1, 1, 1};
  CHECK_EQ(refusal(options), "ERR_INVALID_ARGUMENT");
  options = load_options(kAll);
  options.split_mode = LLAMA_SPLIT_MODE_TENSOR;
  options.devices = {"CPU"};
  CHECK_EQ(refusal(options), "ERR_UNSUPPORTED");
}

TEST(a_device_without_enough_memory_fails_the_load_or_the_context_and_leaves_nothing_behind) {
  ModelOptions options = load_options(kAll);
  options.devices = {fake::gpu(0).name()};
  give(100'000, 1);
  CHECK_EQ(refusal(options), "ERR_OUT_OF_MEMORY");
  CHECK_EQ(fake::gpu(0).allocated(), 0U);
  give(kPlenty, 1);
  const std::shared_ptr<Model> model = load(options);
  const uint64_t weights = fake::gpu(0).allocated();
  give(weights + 100'000, 1);
  demo::Client client(usual(), model);
  CHECK_EQ(client.opening_error(), "ERR_OUT_OF_MEMORY");
  client.close();
  CHECK_EQ(fake::gpu(0).allocated(), weights);
}

void expect_right_text(const ModelOptions& how) {
  const std::shared_ptr<Model> model = load(how);
  ContextOptions options = usual();
  options.kv_cache_type_key = options.kv_cache_type_value = GGML_TYPE_F32;
  options.flash_attention = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  demo::Client client(options, model);
  client.open();
  std::mt19937 random(3);
  const cria::Tokens prompt = demo::random_text(random, 60);
  client.submit(1, [&](cria::Request& request) {
    request.prompt.segments = {prompt};
    request.max_tokens = 24;
  });
  client.read_to_end({1});
  demo::Story& story = client.stories[1];
  CHECK(story.finish.has_value());
  CHECK(!story.tokens.empty());
  demo::Shape like;
  like.rounds = false;
  CHECK(demo::gap(prompt, story.tokens, like) <= demo::kNearTie);
}

// There llama.cpp knows one device of both, and leaves whole on each what cannot be cut.
TEST(split_mode_tensor_puts_a_part_of_each_layer_on_each_gpu) {
  give(kPlenty, kPlenty);
  ModelOptions how = load_options(ModelOptions::kFittingLayers);
  how.split_mode = LLAMA_SPLIT_MODE_TENSOR;
  const std::shared_ptr<Model> model = load(how);
  const MemoryBreakdown measured = cria::measure_context(*model, usual(), kGoOn);
  demo::Client client(usual(), model);
  client.open();
  for (int i = 0; i < 2; ++i) {
    const auto real = static_cast<double>(fake::gpu(i).allocated());
    const auto known = static_cast<double>(total(part_of(measured, fake::gpu(i).name())));
    CHECK(std::abs(known - real) <= 0.1 * real);
  }
  client.submit(1, [&](cria::Request& request) {
    request.prompt.segments = {std::string("The llama lives")};
    request.max_tokens = 8;
  });
  client.read_to_end({1});
  CHECK(client.stories[1].finish.has_value());
  CHECK(!client.stories[1].tokens.empty());
}

TEST(two_gpus_generate_what_the_cpu_does) {
  give(kPlenty, kPlenty);
  const demo::Unrounded unrounded;
  ModelOptions how = load_options(kAll);
  how.path = demo::path_as(LLAMA_FTYPE_ALL_F32);
  expect_right_text(how);
  how.tensor_split = {1, 4};
  expect_right_text(how);
  how.gpu_layers = 3;
  expect_right_text(how);
}

}  // namespace

int main(int argc, char** argv) {
  fake::gpu(0);
  fake::gpu(1);
  return demo::run(argc, argv);
}
