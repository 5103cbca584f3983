// The JS handle of this process as a worker.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>

#include "binding/environment.h"
#include "core/model/worker_server.h"

namespace cria::binding {

// The JS thread only. The environment keeps it alive until it has ended.
class RpcServerSession : public Stoppable, public std::enable_shared_from_this<RpcServerSession> {
 public:
  explicit RpcServerSession(Environment& environment);

  // Resolves when it was stopped, and rejects if it fails.
  Napi::Promise start(Napi::Env env, const WorkerServerOptions& options);
  int port() const { return server_ ? server_->port() : 0; }

  void stop() override;
  bool ends_by(Deadline deadline) override;
  void release(bool ended) override;

 private:
  void ended(Napi::Env env, const Failure& failure);

  Environment& environment_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::optional<Napi::Promise::Deferred> running_;
  std::unique_ptr<WorkerServer> server_;
};

// startRpcServer(options): { port, ended, stop() }, as in lib/internal/native.ts.
void define_rpc_server(Napi::Env env, Napi::Object exports);

}  // namespace cria::binding
