#include "binding/model_work.h"

#include <utility>

#include "binding/errors.h"

namespace cria::binding {

namespace {

constexpr const char* kDisposedMessage = "The model is disposed.";

}  // namespace

ModelWork::ModelWork(Environment& environment)
    : environment_(environment), mailbox_(environment.mailbox()) {}

Napi::Promise ModelWork::start(Napi::Env env, int64_t id, WorkLane lane, Job job) {
  if (closing_) throw Error(code::kDisposed, kDisposedMessage);
  std::optional<Worker>& worker = lanes_[static_cast<size_t>(lane)];
  if (!worker) {
    worker.emplace();
    if (open_lanes_++ == 0) environment_.add(shared_from_this());
  }
  const auto deferred = Napi::Promise::Deferred::New(env);
  const auto stop = std::make_shared<Stop>(false);
  if (!pending_.emplace(id, Pending{deferred, stop}).second) {
    throw Error(code::kInvalidArgument, "Expected an `id` that is not in use.");
  }
  mailbox_->hold();
  worker->post([id, stop, job = std::move(job), weak = weak_from_this(), mailbox = mailbox_] {
    try {
      if (stop->load()) throw Error(code::kDisposed, "The work was stopped.");
      const backend::AbortGuard guard;
      Result result = job(*stop);
      mailbox->post_to(weak, [id, result = std::move(result)](ModelWork& self, Napi::Env env) {
        self.settle(env, id, result);
      });
    } catch (...) {
      mailbox->post_to(weak, [id, failure = current_failure()](ModelWork& self, Napi::Env env) {
        self.fail(env, id, failure);
      });
    }
  });
  return deferred.Promise();
}

std::optional<ModelWork::Pending> ModelWork::take(int64_t id) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return std::nullopt;
  std::optional<Pending> pending(std::move(found->second));
  pending_.erase(found);
  mailbox_->release();
  return pending;
}

void ModelWork::settle(Napi::Env env, int64_t id, const Result& result) {
  const std::optional<Pending> pending = take(id);
  if (!pending) return;
  Napi::Value value;
  try {
    value = entry(env, [&] { return result(env); });
  } catch (const Napi::Error& error) {
    pending->deferred.Reject(error.Value());
    return;
  }
  pending->deferred.Resolve(value);
}

void ModelWork::fail(Napi::Env env, int64_t id, const Failure& failure) {
  if (const std::optional<Pending> pending = take(id)) {
    pending->deferred.Reject(to_js(env, failure).Value());
  }
}

void ModelWork::cancel(int64_t id) {
  const auto found = pending_.find(id);
  if (found != pending_.end()) found->second.stop->store(true);
}

Napi::Promise ModelWork::close(Napi::Env env) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  begin_close();
  while (!pending_.empty())
    fail(env, pending_.begin()->first, {code::kDisposed, kDisposedMessage});
  if (open_lanes_ == 0) {
    deferred.Resolve(env.Undefined());
  } else {
    mailbox_->hold();
    waiting_.push_back(deferred);
  }
  return deferred.Promise();
}

void ModelWork::abandon() { begin_close(); }

// Stopping a worker waits for the job that runs. So a last job is posted behind the others, and
// when it has run, the JS thread finds the worker idle.
void ModelWork::begin_close() {
  if (std::exchange(closing_, true)) return;
  stop();
  for (std::optional<Worker>& lane : lanes_) {
    if (!lane) continue;
    lane->post([weak = weak_from_this(), mailbox = mailbox_] {
      mailbox->post_to(weak, [](ModelWork& self, Napi::Env env) { self.lane_closed(env); });
    });
  }
}

void ModelWork::lane_closed(Napi::Env env) {
  if (--open_lanes_ == 0) closed(env);
}

void ModelWork::closed(Napi::Env env) {
  const std::shared_ptr<ModelWork> self = shared_from_this();  // until the end of this function
  for (std::optional<Worker>& lane : lanes_)
    lane.reset();
  environment_.remove(this);
  for (const Napi::Promise::Deferred& deferred : std::exchange(waiting_, {})) {
    mailbox_->release();
    deferred.Resolve(env.Undefined());
  }
}

void ModelWork::stop() {
  for (const auto& [id, pending] : pending_)
    pending.stop->store(true);
}

bool ModelWork::ends_by(Deadline deadline) {
  bool ended = true;
  for (std::optional<Worker>& lane : lanes_)
    ended = (!lane || lane->stop_by(deadline)) && ended;
  return ended;
}

void ModelWork::release(bool /*ended*/) {
  closing_ = true;
  for (std::optional<Worker>& lane : lanes_)
    lane.reset();
  open_lanes_ = 0;
  pending_.clear();
}

}  // namespace cria::binding
