import { readFileSync } from "node:fs";
import { arch, platform } from "node:os";

/** Of a portable build; the highest first, as in cmake/cpu-levels.cmake. None: it has only one. */
export const CPU_LEVELS: readonly string[] =
  platform() !== "linux"
    ? []
    : arch() === "x64"
      ? ["avx512bf16", "avx512vnni", "avx2", "sse42"]
      : ["i8mm", "dotprod", "armv8"];

/** A level below this machine's own, which rounds in another way: by 8 lanes where that has 16. */
export function lowerCpuLevel(): string | undefined {
  if (platform() !== "linux") return undefined;
  if (arch() === "arm64") return "armv8";
  return /\bavx512f\b/.test(readFileSync("/proc/cpuinfo", "utf8")) ? "avx2" : "sse42";
}
