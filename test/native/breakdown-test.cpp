// What becomes of a context when something fails inside llama.cpp, on whichever thread it strikes,
// and when the system starts no more threads.
//
//   cria-breakdown-test MODEL [tests…]

#include <atomic>
#include <new>
#include <system_error>
#include <thread>

#include "client.h"
#include "core/model/backend.h"
#include "core/model/compute_pool.h"
#include "core/model/deep_stack.h"
#include "core/model/ggml_hooks.h"
#include "core/model/sanitized.h"
#include "core/model/worker.h"
#include "process_seams.h"

using cria::RequestId;
using demo::Client;
using demo::ContextOptions;
using demo::endless;
using demo::small;
using seams::starts_left;
using seams::threads_now;

namespace {

// ── Failures, lit where a thread waits for the others of its pool ──

enum class Where { kNowhere, kPool, kContext };
enum class What { kAssertion, kMemory, kForeign, kGpuMemory, kGpuLost };

// As vulkan.hpp throws its results.
class VulkanResults : public std::error_category {
 public:
  const char* name() const noexcept override { return "vk::Result"; }
  std::string message(int result) const override {
    return result == -4 ? "ErrorDeviceLost" : "ErrorOutOfDeviceMemory";
  }
};

[[noreturn]] void throw_vulkan(int result) {
  static const VulkanResults results;
  throw std::system_error(result, results, "vk::Queue::submit");
}

std::atomic<Where> where{Where::kNowhere};
std::atomic<What> what{What::kAssertion};
std::atomic<int> waits_left{0};
std::atomic<std::thread::id> context_thread{};
void (*relax_of_cria)() = nullptr;

void fail_or_relax() {
  const bool here = std::this_thread::get_id() == context_thread.load();
  const Where wanted = where.load();
  if (wanted != Where::kNowhere && here == (wanted == Where::kContext) && --waits_left == 0) {
    where = Where::kNowhere;
    if (what == What::kMemory) throw std::bad_alloc();
    if (what == What::kForeign) throw 42;
    if (what == What::kGpuMemory) throw_vulkan(-2);
    if (what == What::kGpuLost) throw_vulkan(-4);
    ggml_abort("injected.c", 7, "the sky fell");
  }
  relax_of_cria();
}

void light(Client& client, Where place, What kind, int waits) {
  context_thread = client.computing();
  what = kind;
  waits_left = waits;
  where = place;
}

// A thread that was joined is listed for another moment.
void expect_threads(int expected) {
  for (int i = 0; i < 2000 && threads_now() > expected; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK_EQ(threads_now(), expected);
}

ContextOptions two_threads() {
  ContextOptions options = small(3);
  options.threads = 2;
  return options;
}

void expect_breakdown(const ContextOptions& options, Where place, What kind, int waits,
                      const std::string& code, const std::string& words) {
  const int before = threads_now();
  {
    Client client(options);
    client.open();
    client.submit(1, endless);
    client.read_until([&] { return client.stories[1].tokens.size() > 2; });
    light(client, place, kind, waits);
    for (RequestId id = 2; id <= 5; ++id)
      client.submit(id, endless);
    const cria::Failure failure = client.breakdown();
    CHECK_EQ(failure.code, code);
    CHECK(failure.message.find(words) != std::string::npos);
    CHECK(client.context().ends_by(std::chrono::steady_clock::now() + demo::kPatience));
  }
  expect_threads(before);

  Client next(options);
  next.open();
  next.submit(1, [](demo::Request& request) {
    endless(request);
    request.max_tokens = 5;
  });
  next.read_to_end({1});
  CHECK_EQ(next.stories[1].tokens.size(), size_t{5});
}

}  // namespace

TEST(an_assertion_on_a_thread_of_the_pool_ends_the_context_alone) {
  for (const int waits : {1, 2, 50, 3000})
    expect_breakdown(two_threads(), Where::kPool, What::kAssertion, waits, "ERR_INTERNAL",
                     "injected.c:7: the sky fell");
}

TEST(an_assertion_on_the_thread_of_the_context_does_so) {
  for (const int waits : {1, 2, 50, 1000})
    expect_breakdown(two_threads(), Where::kContext, What::kAssertion, waits, "ERR_INTERNAL",
                     "injected.c:7: the sky fell");
}

TEST(exceptions_of_any_kind_do_so) {
  for (const Where place : {Where::kPool, Where::kContext}) {
    expect_breakdown(two_threads(), place, What::kMemory, 20, "ERR_OUT_OF_MEMORY", "Not enough");
    expect_breakdown(two_threads(), place, What::kForeign, 20, "ERR_INTERNAL", "unknown");
  }
}

TEST(what_a_gpus_driver_throws_has_its_code) {
  expect_breakdown(two_threads(), Where::kContext, What::kGpuMemory, 20, "ERR_OUT_OF_MEMORY",
                   "vk::Queue::submit: ErrorOutOfDeviceMemory");
  expect_breakdown(two_threads(), Where::kContext, What::kGpuLost, 20, "ERR_DEVICE_LOST",
                   "vk::Queue::submit: ErrorDeviceLost");
}

TEST(with_many_threads_and_a_second_pool) {
  ContextOptions options = small(3);
  options.threads = 4;
  options.batch_threads = 3;
  for (const Where place : {Where::kPool, Where::kContext})
    expect_breakdown(options, place, What::kAssertion, 20, "ERR_INTERNAL", "the sky fell");
}

TEST(a_context_that_embeds_breaks_down_alike) {
  ContextOptions options = two_threads();
  options.embeddings = true;
  options.pooling = LLAMA_POOLING_TYPE_MEAN;
  Client client(options);
  client.open();
  light(client, Where::kPool, What::kAssertion, 20);
  for (RequestId id = 1; id <= 400; ++id)
    client.submit(id, cria::command::Embed{"Once upon a time there was a llama.", true});
  CHECK(client.breakdown().message.find("the sky fell") != std::string::npos);
}

TEST(what_is_driven_by_hand_ends_with_it) {
  Client client(two_threads());
  client.open();
  const cria::SequenceId sequence = client.answer(cria::command::Create{}).sequence;
  cria::Prompt prompt;
  prompt.segments = {cria::Tokens(200, 3)};
  light(client, Where::kPool, What::kAssertion, 5);
  client.submit(7, cria::command::Evaluate{sequence, prompt});
  CHECK(client.breakdown().message.find("the sky fell") != std::string::npos);
}

TEST(what_llama_cpp_only_logs_has_its_code) {
  const auto code_of = [](const char* message) {
    const cria::backend::ErrorCapture errors;
    ggml_log_callback log = nullptr;
    void* data = nullptr;
    llama_log_get(&log, &data);
    log(GGML_LOG_LEVEL_ERROR, "llama_model_load: the first of several\n", data);
    log(GGML_LOG_LEVEL_ERROR, message, data);
    CHECK_EQ(errors.reason(""), "the first of several");
    return std::string(errors.code("ERR_MODEL_INVALID"));
  };
  CHECK_EQ(code_of("llama_model_load: error loading model: unable to allocate Vulkan0 buffer\n"),
           "ERR_OUT_OF_MEMORY");
  CHECK_EQ(code_of("ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory\n"),
           "ERR_OUT_OF_MEMORY");
  CHECK_EQ(code_of("allocating 512.00 MiB on device 0: cudaMalloc failed: out of memory\n"),
           "ERR_OUT_OF_MEMORY");
  CHECK_EQ(code_of("ggml_vulkan: device lost on Vulkan0\n"), "ERR_DEVICE_LOST");
  CHECK_EQ(code_of("llama_model_load: error loading model: missing tensor 'a'\n"),
           "ERR_MODEL_INVALID");
}

TEST(threads_that_do_not_start_leave_nothing_behind) {
  ContextOptions options = small(2);
  options.threads = 4;
  options.batch_threads = 3;
  const int before = threads_now();
  int refused = 0;
  for (int starts = 0;; ++starts) {
    CHECK(starts < 100);
    starts_left = starts;
    std::string code;
    try {
      Client client(options);
      code = client.opening_error();
    } catch (const std::system_error& error) {
      CHECK(error.code() == std::errc::resource_unavailable_try_again);
      code = "ERR_OUT_OF_MEMORY";
    }
    starts_left = 1 << 30;
    expect_threads(before);
    if (code.empty()) break;
    CHECK_EQ(code, "ERR_OUT_OF_MEMORY");
    ++refused;
  }
  CHECK_EQ(refused, 3 + 3 + 2);  // the context's own three, and those of its pools
}

TEST(a_worker_that_does_not_start_says_so) {
  starts_left = 0;
  bool refused = false;
  try {
    cria::Worker worker;
  } catch (const std::system_error&) {
    refused = true;
  }
  starts_left = 1 << 30;
  CHECK(refused);
}

TEST(a_deep_stack_that_does_not_start_says_so) {
  starts_left = 0;
  std::string code;
  try {
    cria::with_stack(1 << 20, [] {});
  } catch (const cria::Error& error) {
    code = error.code();
  }
  starts_left = 1 << 30;
  CHECK_EQ(code, "ERR_OUT_OF_MEMORY");
}

static void go_beyond_a_deep_stack() {
  cria::with_stack(1 << 20, [] {
    const uintptr_t top = cria::stack_position();
    for (size_t depth = 4096; depth < cria::kSanitizedFactor * 2 << 20; depth += 4096)
      *reinterpret_cast<volatile char*>(top - depth) = 1;
  });
}

TEST(what_goes_beyond_a_deep_stack_faults) { CHECK(seams::dies(go_beyond_a_deep_stack)); }

TEST(a_worker_is_left_behind_in_the_middle_of_a_job) {
  struct Shared {
    std::atomic<bool> begun{false};
    std::atomic<bool> go{false};
    std::atomic<bool> done{false};
  };
  const auto shared = std::make_shared<Shared>();
  {
    cria::Worker worker;
    worker.post([shared] {
      shared->begun = true;
      while (!shared->go)
        std::this_thread::yield();
      shared->done = true;
    });
    worker.post([] { CHECK(false); });
    while (!shared->begun)
      std::this_thread::yield();
    CHECK(!worker.stop_by(std::chrono::steady_clock::now()));
    CHECK(!worker.post([] {}));
  }
  CHECK(!shared->done);
  shared->go = true;
  while (!shared->done)
    std::this_thread::yield();
}

int main(int argc, char** argv) {
  if (seams::died(argc, argv, go_beyond_a_deep_stack)) return 0;
  // Before there is a thread that could read it.
  cria::backend::start();
  relax_of_cria = cria_ggml_hooks.relax;
  cria_ggml_hooks.relax = fail_or_relax;
  // With the first thread, a sanitizer starts one of its own, which is not to be counted.
  std::thread([] {}).join();
  return demo::run(argc, argv);
}
