// Windows only, called by the linker's delay-load helper on whichever thread first calls Node-API.
// The addon imports from NODE.EXE, but the host may be called otherwise (electron.exe), or keep
// Node in a node.dll: answer with the module that really holds it.

#include <windows.h>
// After windows.h, whose types it uses.
#include <delayimp.h>
#include <string.h>

static FARPROC WINAPI FindHost(unsigned int event, DelayLoadInfo* info) {
  if (event != dliNotePreLoadLibrary || _stricmp(info->szDll, "NODE.EXE") != 0) return nullptr;
  HMODULE host = GetModuleHandleW(L"node.dll");
  if (host == nullptr) host = GetModuleHandleW(nullptr);
  return reinterpret_cast<FARPROC>(host);
}

#ifndef __MINGW32__  // whose header declares it without const
const
#endif
    PfnDliHook __pfnDliNotifyHook2 = FindHost;
