// Preloaded into Node: Vulkan's functions fail as those of a GPU do that is lost or full, while the file that
// CRIA_TEST_VULKAN_FAULT names is there. Its first letter says which: `l`ost, out of `m`emory. With `o` a device
// takes long to open, which it tells by removing the file, and no handler of the process's exit may run meanwhile.

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <vulkan/vulkan.h>

static PFN_vkGetInstanceProcAddr real_instance_proc;
static PFN_vkQueueSubmit real_submit;
static PFN_vkWaitForFences real_wait;
static PFN_vkGetFenceStatus real_status;
static PFN_vkAllocateMemory real_allocate;
static PFN_vkCreateDevice real_create;
static volatile int is_opening;

static int is_on(char fault) {
  char letter = 0;
  const char* path = getenv("CRIA_TEST_VULKAN_FAULT");
  const int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t count = read(file, &letter, 1);
  close(file);
  return count == 1 && letter == fault;
}

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count,
                                             const VkSubmitInfo* submits, VkFence fence) {
  if (is_on('l')) return VK_ERROR_DEVICE_LOST;
  return real_submit(queue, count, submits, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_for(VkDevice device, uint32_t count,
                                               const VkFence* fences, VkBool32 all,
                                               uint64_t timeout) {
  if (is_on('l')) return VK_ERROR_DEVICE_LOST;
  return real_wait(device, count, fences, all, timeout);
}

static VKAPI_ATTR VkResult VKAPI_CALL status(VkDevice device, VkFence fence) {
  if (is_on('l')) return VK_ERROR_DEVICE_LOST;
  return real_status(device, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo* info,
                                               const VkAllocationCallbacks* callbacks,
                                               VkDeviceMemory* memory) {
  if (is_on('m')) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  return real_allocate(device, info, callbacks, memory);
}

// As drivers do that have threads.
static void on_exit_of_process(void) {
  if (is_opening) abort();
}

static VKAPI_ATTR VkResult VKAPI_CALL create(VkPhysicalDevice physical,
                                             const VkDeviceCreateInfo* info,
                                             const VkAllocationCallbacks* callbacks,
                                             VkDevice* device) {
  if (!is_on('o')) return real_create(physical, info, callbacks, device);
  is_opening = 1;
  atexit(on_exit_of_process);
  unlink(getenv("CRIA_TEST_VULKAN_FAULT"));
  usleep(500000);
  const VkResult result = real_create(physical, info, callbacks, device);
  is_opening = 0;
  return result;
}

// Comes before the loader's own, from which ggml has all others.
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance,
                                                               const char* name) {
  if (real_instance_proc == NULL) {
    void* loader = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (loader == NULL) abort();
    real_instance_proc = (PFN_vkGetInstanceProcAddr)dlsym(loader, "vkGetInstanceProcAddr");
  }
  const PFN_vkVoidFunction real = real_instance_proc(instance, name);
  if (real == NULL) return NULL;
#define REPLACE(function, pointer, ours)              \
  if (strcmp(name, function) == 0) {                  \
    pointer = (__typeof__(pointer))real;              \
    return (PFN_vkVoidFunction)ours;                  \
  }
  REPLACE("vkQueueSubmit", real_submit, submit)
  REPLACE("vkWaitForFences", real_wait, wait_for)
  REPLACE("vkGetFenceStatus", real_status, status)
  REPLACE("vkAllocateMemory", real_allocate, allocate)
  REPLACE("vkCreateDevice", real_create, create)
  return real;
}
