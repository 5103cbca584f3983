// This module's operator new and delete: like those of the standard library, but while a WorkBudget
// is in use they count. As all of the module's symbols they are hidden, so they see nobody else's
// allocations. Sanitizers bring their own, which stay in place: there the linker sends this
// module's calls by way of here (--wrap in cmake/sanitizers.cmake).
#include <cstdlib>
#include <new>

#include "core/model/work_budget.h"

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

template <typename Take>
void* allocate(size_t size, Take take) {
  cria::WorkBudget* const budget = cria::WorkBudget::current();
  if (budget != nullptr) budget->about_to_allocate(size);
  void* const block = take(size);
  if (budget != nullptr) budget->allocated(size_of(block));
  return block;
}

template <typename Give>
void give_back(void* block, Give give) noexcept {
  if (block == nullptr) return;
  if (cria::WorkBudget* const budget = cria::WorkBudget::current()) budget->freed(size_of(block));
  give(block);
}

}  // namespace

#ifdef CRIA_WRAPPED_NEW

extern "C" {

void* __real__Znwm(size_t size);
void* __real__Znam(size_t size);
void __real__ZdlPv(void* block) noexcept;
void __real__ZdaPv(void* block) noexcept;

void* __wrap__Znwm(size_t size) { return allocate(size, __real__Znwm); }
void* __wrap__Znam(size_t size) { return allocate(size, __real__Znam); }
void __wrap__ZdlPv(void* block) noexcept { give_back(block, __real__ZdlPv); }
void __wrap__ZdaPv(void* block) noexcept { give_back(block, __real__ZdaPv); }

}  // extern "C"

#else

namespace {

void* from_malloc(size_t size) {
  for (;;) {
    if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace

void* operator new(size_t size) { return allocate(size, from_malloc); }
void* operator new[](size_t size) { return allocate(size, from_malloc); }
void operator delete(void* block) noexcept { give_back(block, std::free); }
void operator delete[](void* block) noexcept { give_back(block, std::free); }
void operator delete(void* block, size_t /*size*/) noexcept { give_back(block, std::free); }
void operator delete[](void* block, size_t /*size*/) noexcept { give_back(block, std::free); }
void operator delete(void* block, const std::nothrow_t& /*tag*/) noexcept {
  give_back(block, std::free);
}
void operator delete[](void* block, const std::nothrow_t& /*tag*/) noexcept {
  give_back(block, std::free);
}

#endif
