// `wine-pipes.exe PROGRAM.exe ARG…`: a Windows program under wine that runs another one with pipes.
// node.exe cannot use a pipe of Linux as its stdin, stdout or stderr under wine (libuv asks for its
// mode, which wine does not know of such a pipe), but one of Windows it can: this passes everything
// on between the two, as it comes.

#include <windows.h>

typedef struct {
  HANDLE from;
  HANDLE to;
} Pump;

// To the end of either side, and both are closed: who reads no more is noticed by who writes.
static DWORD WINAPI pump(void* argument) {
  const Pump* ends = argument;
  char buffer[65536];
  DWORD count;
  while (ReadFile(ends->from, buffer, sizeof buffer, &count, NULL) && count > 0) {
    DWORD written;
    for (DWORD at = 0; at < count; at += written) {
      if (!WriteFile(ends->to, buffer + at, count - at, &written, NULL)) goto over;
    }
  }
over:
  CloseHandle(ends->to);
  CloseHandle(ends->from);
  return 0;
}

// Behind this program's own name, which may stand in quotes.
static WCHAR* rest_of_command_line(void) {
  WCHAR* at = GetCommandLineW();
  for (int quoted = 0; *at != 0 && (quoted || (*at != ' ' && *at != '\t')); at++) {
    if (*at == '"') quoted = !quoted;
  }
  while (*at == ' ' || *at == '\t') at++;
  return at;
}

// Ours is inherited by nobody: else the other side never ends.
static int make_pipe(HANDLE* theirs, HANDLE* ours, int they_read) {
  SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
  HANDLE read_end, write_end;
  if (!CreatePipe(&read_end, &write_end, &inherited, 0)) return 0;
  *theirs = they_read ? read_end : write_end;
  *ours = they_read ? write_end : read_end;
  return SetHandleInformation(*ours, HANDLE_FLAG_INHERIT, 0);
}

int main(void) {
  static Pump in, out, err;
  STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
  PROCESS_INFORMATION process;
  in.from = GetStdHandle(STD_INPUT_HANDLE);
  out.to = GetStdHandle(STD_OUTPUT_HANDLE);
  err.to = GetStdHandle(STD_ERROR_HANDLE);
  if (!make_pipe(&startup.hStdInput, &in.to, 1) || !make_pipe(&startup.hStdOutput, &out.from, 0) ||
      !make_pipe(&startup.hStdError, &err.from, 0)) {
    return 125;
  }
  // What ends this process ends that one, too.
  HANDLE job = CreateJobObjectW(NULL, NULL);
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
  if (!CreateProcessW(NULL, rest_of_command_line(), NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL,
                      &startup, &process)) {
    return 126;
  }
  AssignProcessToJobObject(job, process.hProcess);
  ResumeThread(process.hThread);
  CloseHandle(startup.hStdInput);
  CloseHandle(startup.hStdOutput);
  CloseHandle(startup.hStdError);
  CreateThread(NULL, 0, pump, &in, 0, NULL);
  HANDLE pumps[] = {CreateThread(NULL, 0, pump, &out, 0, NULL),
                    CreateThread(NULL, 0, pump, &err, 0, NULL)};
  DWORD code = 127;
  WaitForSingleObject(process.hProcess, INFINITE);
  GetExitCodeProcess(process.hProcess, &code);
  WaitForMultipleObjects(2, pumps, TRUE, INFINITE);
  ExitProcess(code);
}
