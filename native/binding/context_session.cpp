#include <functional>
#include <utility>

#include "binding/context.h"
#include "binding/errors.h"
#include "binding/news.h"

namespace cria::binding {

namespace {

constexpr const char* kDisposedMessage = "The context is disposed.";

}  // namespace

ContextSession::ContextSession(Environment& environment)
    : environment_(environment), mailbox_(environment.mailbox()) {}

// Makes a function that any thread may call to run `report` on the JS thread.
std::function<void()> ContextSession::reporter(Report report) {
  return [weak = weak_from_this(), mailbox = mailbox_, report] {
    mailbox->post_to(weak, [report](ContextSession& self, Napi::Env env) { (self.*report)(env); });
  };
}

Napi::Promise ContextSession::open(Napi::Env env, std::shared_ptr<Model> model,
                                   std::shared_ptr<Projector> projector,
                                   std::shared_ptr<Model> draft, const ContextOptions& options,
                                   Napi::Function on_news) {
  if (state_ != State::kEmpty) {
    throw Error(code::kDisposed, "This handle was opened or disposed before: make a new one.");
  }
  Context::Events events;
  events.opened = [weak = weak_from_this(), mailbox = mailbox_](const ContextInfo& info) {
    mailbox->post_to(weak, [info](ContextSession& self, Napi::Env env) { self.opened(env, info); });
  };
  events.failed = [weak = weak_from_this(), mailbox = mailbox_](const Failure& failure) {
    mailbox->post_to(weak,
                     [failure](ContextSession& self, Napi::Env env) { self.failed(env, failure); });
  };
  events.news = reporter(&ContextSession::deliver);
  events.closed = reporter(&ContextSession::closed);
  // First, since it throws if the system starts no thread: nothing has changed then.
  context_ = std::make_unique<Context>(std::move(model), options, std::move(events),
                                       std::move(projector), std::move(draft));
  state_ = State::kOpening;
  opening_.emplace(Napi::Promise::Deferred::New(env));
  on_news_ = Napi::Weak(on_news);
  mailbox_->hold();
  environment_.add(shared_from_this());
  return opening_->Promise();
}

void ContextSession::opened(Napi::Env env, const ContextInfo& info) {
  if (state_ != State::kOpening) return;
  state_ = State::kOpen;
  const Napi::Promise::Deferred opening = *opening_;
  end_opening();
  opening.Resolve(describe(env, info));
}

void ContextSession::failed(Napi::Env env, const Failure& failure) {
  if (state_ != State::kOpening) return;
  state_ = State::kClosing;  // the thread ends by itself
  const Napi::Promise::Deferred opening = *opening_;
  end_opening();
  opening.Reject(to_js(env, failure).Value());
}

void ContextSession::end_opening() {
  opening_.reset();
  mailbox_->release();
}

void ContextSession::submit(const std::shared_ptr<Request>& request) {
  expect(request);
  context_->submit(request);
}

void ContextSession::submit(const std::shared_ptr<Command>& command) {
  expect(command);
  context_->submit(command);
}

// Keeps the process alive until the order's last news.
void ContextSession::expect(const std::shared_ptr<Order>& order) {
  if (state_ == State::kBroken) throw Error(breakdown_.code.c_str(), breakdown_.message);
  if (state_ != State::kOpen) throw Error(code::kDisposed, kDisposedMessage);
  if (!pending_.emplace(order->id, order).second) {
    throw Error(code::kInvalidArgument, "Expected an `id` that is not in use.");
  }
  if (pending_.size() == 1) on_news_.Ref();
  mailbox_->hold();
}

void ContextSession::cancel(RequestId id) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  found->second->cancelled.store(true);
  context_->interrupt();
}

void ContextSession::deliver(Napi::Env env) {
  if (context_) tell(env, context_->outbox().take());
}

void ContextSession::tell(Napi::Env env, const std::vector<News>& news) {
  if (news.empty()) return;
  const Napi::Function on_news = on_news_.Value();
  const bool was_pending = !pending_.empty();
  for (const News& one : news) {
    if (one.last() && pending_.erase(one.id) > 0) mailbox_->release();
  }
  if (was_pending && pending_.empty()) on_news_.Unref();
  if (!on_news.IsEmpty()) on_news.Call({to_js(env, news)});
}

Napi::Object ContextSession::stats(Napi::Env env) const {
  if (state_ != State::kOpen && state_ != State::kBroken) {
    throw Error(code::kDisposed, kDisposedMessage);
  }
  const Counters nothing;
  const Counters& counters = state_ == State::kOpen ? *context_->counters() : nothing;
  // Requests that are not tokenized yet count as queued.
  const int32_t active = counters.active.load();
  const auto pending = static_cast<int32_t>(pending_.size());
  Napi::Object stats = Napi::Object::New(env);
  stats.Set("activeGenerations", active);
  stats.Set("queuedGenerations", std::max(pending - active, 0));
  stats.Set("cachedTokens", static_cast<double>(counters.cached_tokens.load()));
  stats.Set("decodedTokens", static_cast<double>(counters.decoded_tokens.load()));
  stats.Set("batches", static_cast<double>(counters.batches.load()));
  stats.Set("broken", state_ == State::kBroken);
  return stats;
}

Napi::Promise ContextSession::close(Napi::Env env) {
  Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
  if (state_ == State::kEmpty || state_ == State::kBroken) state_ = State::kClosed;
  if (state_ == State::kClosed) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  if (state_ == State::kOpening) {
    const char* message = "The context was disposed while it was being created.";
    const Napi::Promise::Deferred opening = *opening_;
    end_opening();
    opening.Reject(to_js(env, Failure{code::kDisposed, message}).Value());
  }
  mailbox_->hold();
  closing_.push_back(deferred);
  abandon();
  return deferred.Promise();
}

void ContextSession::abandon() {
  if (state_ != State::kOpening && state_ != State::kOpen) return;
  state_ = State::kClosing;
  context_->stop();
}

// The thread has ended. What it left unanswered fails here, so that nothing hangs.
void ContextSession::closed(Napi::Env env) {
  const std::shared_ptr<ContextSession> self =
      shared_from_this();  // until the end of this function
  Failure failure{code::kDisposed, "The context was disposed during the generation."};
  if (context_->breakdown())
    failure = breakdown_ = *context_->breakdown();  // for good: see expect()
  state_ = state_ == State::kOpen ? State::kBroken : State::kClosed;
  deliver(env);
  std::vector<News> unanswered;
  for (const auto& [id, order] : pending_) {
    News news;
    news.id = id;
    news.failure = failure;
    unanswered.push_back(std::move(news));
  }
  tell(env, unanswered);
  context_.reset();
  environment_.remove(this);
  for (const Napi::Promise::Deferred& deferred : std::exchange(closing_, {})) {
    mailbox_->release();
    deferred.Resolve(env.Undefined());
  }
}

void ContextSession::stop() {
  if (context_) context_->stop();
}

bool ContextSession::ends_by(Deadline deadline) {
  return context_ == nullptr || context_->ends_by(deadline);
}

void ContextSession::release(bool ended) {
  state_ = State::kClosed;
  if (!ended) static_cast<void>(context_.release());  // its thread uses it
  context_.reset();
  pending_.clear();
  on_news_.Reset();
}

}  // namespace cria::binding
