#include "binding/claims.h"

#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "binding/errors.h"

namespace cria::binding {

namespace {

class Claims {
 public:
  // Never destroyed: a worker may end while the process exits.
  static Claims& all() {
    static auto* const claims = new Claims;
    return *claims;
  }

  // False: a thread has it already, perhaps this one.
  bool claim(Napi::Env env, const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!taken_.insert(name).second) return false;
    const auto [own, first] = by_environment_.try_emplace(env);
    own->second.insert(name);
    if (first) env.AddCleanupHook([this, env] { release_all(env); });
    return true;
  }

  void release(Napi::Env env, const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto own = by_environment_.find(env);
    if (own != by_environment_.end() && own->second.erase(name) > 0) taken_.erase(name);
  }

 private:
  void release_all(napi_env env) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto own = by_environment_.find(env);
    if (own == by_environment_.end()) return;
    for (const std::string& name : own->second)
      taken_.erase(name);
    by_environment_.erase(own);
  }

  std::mutex mutex_;
  std::unordered_set<std::string> taken_;
  std::unordered_map<napi_env, std::unordered_set<std::string>> by_environment_;
};

std::string instance() {
  static const std::string text = [] {
    std::random_device random;
    return std::to_string(random()) + "-" + std::to_string(random());
  }();
  return text;
}

Napi::Value claim(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const std::string name = info[0].ToString();
    return Napi::Boolean::New(info.Env(), Claims::all().claim(info.Env(), name));
  });
}

Napi::Value release(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    Claims::all().release(info.Env(), info[0].ToString());
    return info.Env().Undefined();
  });
}

}  // namespace

void define_claims(Napi::Env env, Napi::Object exports) {
  exports.Set("claim", Napi::Function::New(env, claim, "claim"));
  exports.Set("release", Napi::Function::New(env, release, "release"));
  exports.Set("instance", instance());
}

}  // namespace cria::binding
