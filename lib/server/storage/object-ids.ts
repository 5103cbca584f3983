import { randomBytes } from "node:crypto";

/** What files and batches are called: a prefix, when they were made, and what nobody can guess. */
export type ObjectKind = "file" | "batch";

const PREFIXES = { file: "file-", batch: "batch_" } as const;
const DIGITS = 12;
let last = 0;

/** Ids of one kind sort by the time they were made at. */
export function newObjectId(kind: ObjectKind): string {
  last = Math.max(Date.now(), last + 1);
  const time = last.toString(16).padStart(DIGITS, "0");
  return `${PREFIXES[kind]}${time}${randomBytes(DIGITS / 2).toString("hex")}`;
}

/** Nothing else ever becomes part of a path. */
export function isObjectId(kind: ObjectKind, id: string): boolean {
  const { length } = PREFIXES[kind];
  return id.startsWith(PREFIXES[kind]) && /^[0-9a-f]{24}$/.test(id.slice(length));
}
