#include "binding/rpc_server.h"

#include <utility>

#include "binding/arguments.h"
#include "binding/errors.h"

namespace cria::binding {

RpcServerSession::RpcServerSession(Environment& environment)
    : environment_(environment), mailbox_(environment.mailbox()) {}

Napi::Promise RpcServerSession::start(Napi::Env env, const WorkerServerOptions& options) {
  server_ = std::make_unique<WorkerServer>(
      options, [weak = weak_from_this(), mailbox = mailbox_](const Failure& failure) {
        mailbox->post_to(
            weak, [failure](RpcServerSession& self, Napi::Env env) { self.ended(env, failure); });
      });
  // Its devices are open now.
  [[maybe_unused]] static const bool registered = Environment::stop_first_at_exit();
  running_.emplace(Napi::Promise::Deferred::New(env));
  mailbox_->hold();
  environment_.add(shared_from_this());
  return running_->Promise();
}

void RpcServerSession::ended(Napi::Env env, const Failure& failure) {
  const std::shared_ptr<RpcServerSession> self = shared_from_this();  // until the function's end
  environment_.remove(this);
  mailbox_->release();
  server_.reset();
  const Napi::Promise::Deferred running = *std::exchange(running_, std::nullopt);
  if (failure.code.empty()) {
    running.Resolve(env.Undefined());
  } else {
    running.Reject(to_js(env, failure).Value());
  }
}

void RpcServerSession::stop() {
  if (server_) server_->stop();
}

bool RpcServerSession::ends_by(Deadline deadline) { return !server_ || server_->stop_by(deadline); }

void RpcServerSession::release(bool /*ended*/) { server_.reset(); }

namespace {

Napi::Value start_rpc_server(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const Fields fields(to_object(info[0], "options"));
    WorkerServerOptions options;
    options.address = fields.text("address");
    options.port = fields.integer("port");
    options.threads = fields.integer("threads");
    options.devices = fields.texts("devices");
    options.cache = fields.text("cache");
    const auto session = std::make_shared<RpcServerSession>(Environment::of(env));
    Napi::Object server = Napi::Object::New(env);
    server.Set("ended", session->start(env, options));
    server.Set("port", session->port());
    server.Set(
        "stop",
        Napi::Function::New(
            env,
            [weak = std::weak_ptr<RpcServerSession>(session)](const Napi::CallbackInfo& call) {
              if (const auto alive = weak.lock()) alive->stop();
              return call.Env().Undefined();
            },
            "stop"));
    return server;
  });
}

}  // namespace

void define_rpc_server(Napi::Env env, Napi::Object exports) {
  exports.Set("startRpcServer", Napi::Function::New(env, start_rpc_server, "startRpcServer"));
}

}  // namespace cria::binding
