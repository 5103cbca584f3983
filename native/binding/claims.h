// Names that only one thread of the process may hold, for instance a file that it writes. What a
// worker has claimed becomes free when it ends, however it ends.
#pragma once

#include <napi.h>

namespace cria::binding {

// claim(name: string): boolean, release(name: string): void, and `instance`, a text that identifies
// this copy of the engine: several copies in one process do not know each other's claims.
void define_claims(Napi::Env env, Napi::Object exports);

}  // namespace cria::binding
