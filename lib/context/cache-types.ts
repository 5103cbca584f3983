import type { NativeCacheType } from "../internal/native.js";

/** In a file of its own, since the command line checks flags without loading contexts. */
export const CACHE_TYPES: readonly NativeCacheType[] = [
  "f32",
  "f16",
  "bf16",
  "q8_0",
  "q5_1",
  "q5_0",
  "q4_1",
  "q4_0",
  "iq4_nl",
];
