// The addon's import of Node-API names node.exe, and the host may be called otherwise (Electron, a
// packaged program, a renamed node). The import is delay-loaded, and this hook gives it the
// process's own image instead of the file of that name. node-gyp and cmake-js bring a hook of their
// own (win_delay_load_hook); this one is for the cross build.
#include "windows/windows_headers.h"

// clang-format off: windows.h first
#include <delayimp.h>
// clang-format on
#include <cstring>

namespace {

FARPROC WINAPI OnDelayLoad(unsigned event, PDelayLoadInfo info) {
  if (event != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) return nullptr;
  return reinterpret_cast<FARPROC>(GetModuleHandleW(nullptr));
}

}  // namespace

// Their header declares it, const or not.
extern "C" {
decltype(__pfnDliNotifyHook2) __pfnDliNotifyHook2 = OnDelayLoad;
}
