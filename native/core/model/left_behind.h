// Work that cannot be stopped, on a thread that can be left behind: whoever waits for it, and for
// whatever waits in turn, goes on. So the work owns all that it uses. A few at a time, in the whole
// process, which does not wait for them at its end.
#pragma once

#include <cstddef>
#include <functional>

namespace cria {

// True: it is done. False: `goes_on`, asked every few milliseconds, said no first, or threw. What
// `work` throws is thrown here. Throws ERR_OUT_OF_MEMORY where there is no such thread to be had.
bool run_or_leave_behind(size_t stack, std::function<void()> work,
                         const std::function<bool()>& goes_on);

}  // namespace cria
