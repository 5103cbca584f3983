// The compiler of the builds under sanitizers and for fuzzing: clang with its runtimes. Debian 12's
// clang-14 is what they were tried with; CC and CXX name another one.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const programs = (folder) => path.join(root, ".build", folder, "bin");

const names = ["clang-14", "clang-16", "clang-15", "clang"];

function answer(command, args) {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}

/** { CC, CXX }, and where the runtimes are. Throws one message that names what is missing. */
export function findClang() {
  const CC = process.env.CC ?? names.find((name) => answer(name, ["--version"]));
  const hint = "  sudo apt-get install clang-14 libclang-rt-14-dev llvm-14";
  if (CC === undefined || !answer(CC, ["--version"])?.includes("clang")) {
    throw new Error(
      `Sanitizers and fuzzers need clang (tried ${CC ?? names.join(", ")}):\n${hint}`,
    );
  }
  const CXX = process.env.CXX ?? CC.replace("clang", "clang++");
  const machine = { x64: "x86_64", arm64: "aarch64" }[process.arch] ?? process.arch;
  const runtime = (name) => {
    const library = `libclang_rt.${name}-${machine}.so`;
    const file = answer(CC, [`-print-file-name=${library}`])?.trim() ?? "";
    if (path.isAbsolute(file) && existsSync(file)) return file;
    throw new Error(`${CC} lacks its runtime ${library}:\n${hint}`);
  };
  if (answer(CXX, ["--version"]) === undefined) throw new Error(`${CXX} is missing:\n${hint}`);
  // Reports without it have addresses in place of names, and name no suppression.
  const beside = path.join(path.dirname(runtime("asan")), "../../../../../bin/llvm-symbolizer");
  const symbolizer = [CC.replace("clang", "llvm-symbolizer"), beside, "llvm-symbolizer"].find(
    (name) => answer(name, ["--version"]),
  );
  if (symbolizer === undefined) throw new Error(`llvm-symbolizer is missing:\n${hint}`);
  const found = answer("sh", ["-c", `command -v ${symbolizer}`])?.trim() ?? symbolizer;
  return { CC, CXX, runtime, symbolizer: found };
}

const suppressions = (name) => path.join(root, "test", "sanitizers", `${name}.supp`);

/**
 * Every report ends the program that it is about. Frames that are watched after their return are few:
 * where all are in use, as in a deep recursion, every call looks through all of them for one.
 */
export function sanitizerEnvironment({ symbolizer }) {
  const all = `external_symbolizer_path=${symbolizer}:halt_on_error=1:abort_on_error=1`;
  return {
    ASAN_OPTIONS: `${all}:detect_leaks=1:detect_stack_use_after_return=1:max_uar_stack_size_log=16:strict_string_checks=1:check_initialization_order=1:allocator_may_return_null=1`,
    LSAN_OPTIONS: `suppressions=${suppressions("leaks")}:print_suppressions=0`,
    UBSAN_OPTIONS: `${all}:print_stacktrace=1:suppressions=${suppressions("undefined")}`,
    // What an uninstrumented node and its libraries do is not seen, and would be told wrongly.
    TSAN_OPTIONS: `${all}:second_deadlock_stack=1:ignore_noninstrumented_modules=1:suppressions=${suppressions("threads")}`,
  };
}
