// This module's operator new and delete: like those of the standard library, but while a WorkBudget
// is in use they count. As all of the module's symbols they are hidden, so they see nobody else's
// allocations. Sanitizers bring their own, which stay in place: in such builds only the checks of
// template_checks.h are left.
#include <cstdlib>
#include <new>

#include "core/model/work_budget.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CRIA_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define CRIA_SANITIZED
#endif
#endif

#ifndef CRIA_SANITIZED

#if defined(__APPLE__)
#include <malloc/malloc.h>
#elif defined(__linux__) || defined(_WIN32)
#include <malloc.h>
#else
#include <malloc_np.h>
#endif

namespace {

size_t size_of(void* block) {
#if defined(__APPLE__)
  return malloc_size(block);
#elif defined(_WIN32)
  return _msize(block);
#else
  return malloc_usable_size(block);
#endif
}

void* allocate(size_t size) {
  cria::WorkBudget* const budget = cria::WorkBudget::current();
  if (budget != nullptr) budget->about_to_allocate(size);
  for (;;) {
    if (void* block = std::malloc(size == 0 ? 1 : size)) {
      if (budget != nullptr) budget->allocated(size_of(block));
      return block;
    }
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void give_back(void* block) noexcept {
  if (block == nullptr) return;
  if (cria::WorkBudget* const budget = cria::WorkBudget::current()) budget->freed(size_of(block));
  std::free(block);
}

}  // namespace

void* operator new(size_t size) { return allocate(size); }
void* operator new[](size_t size) { return allocate(size); }
void operator delete(void* block) noexcept { give_back(block); }
void operator delete[](void* block) noexcept { give_back(block); }
void operator delete(void* block, size_t /*size*/) noexcept { give_back(block); }
void operator delete[](void* block, size_t /*size*/) noexcept { give_back(block); }
void operator delete(void* block, const std::nothrow_t& /*tag*/) noexcept { give_back(block); }
void operator delete[](void* block, const std::nothrow_t& /*tag*/) noexcept { give_back(block); }

#endif
