// Names that one thread of the process has for itself, such as a file that it writes. What a worker
// has claimed is free when it ends, however it ends.
#pragma once

#include <napi.h>

namespace cria::binding {

// claim(name: string): boolean, release(name: string): void, and `instance`, a text of this copy of
// the engine's own: copies in one process do not know of each other.
void define_claims(Napi::Env env, Napi::Object exports);

}  // namespace cria::binding
