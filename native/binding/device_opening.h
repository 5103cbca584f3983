// The opening of GPUs, and what it has to do with the process's exit.
#pragma once

#include <napi.h>

#include <functional>

namespace cria::binding {

// Calls `then` on the JS thread, at once where no device is left to be opened. That one could not
// be opened is told by who uses it: backend::open_devices() throws each time.
//
// A driver starts threads when it opens a device, and has the C library end them at the exit of the
// process: one on the JS thread would take them from under the thread that opens the device. Before
// it calls exit(), Node waits for what runs in libuv's thread pool. So this is done there, and what
// stops our own threads at an exit is registered behind the driver's handlers, to run before them.
void when_devices_are_open(Napi::Env env, std::function<void()> then);

}  // namespace cria::binding
