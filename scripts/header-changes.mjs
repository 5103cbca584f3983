// What changed between two versions of llama.cpp in the headers that native/ reaches, and what of it concerns us.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { declarationsOf, includesOf, withoutComments } from "./c-declarations.mjs";

/** Where an include is looked for, in a tree of llama.cpp. Third parties' code is compared by its folders alone. */
const FOLDERS = ["include", "ggml/include", "common", "src"];
const SOURCE = /\.(h|cpp|c)$/;

/** All our sources by name, without comments: what they mention they use. */
export function ownSources(root, folders = ["native", "test/native"]) {
  const sources = new Map();
  for (const folder of folders) {
    if (!existsSync(path.join(root, folder))) continue;
    for (const file of readdirSync(path.join(root, folder), { recursive: true })) {
      const name = `${folder}/${file.replaceAll("\\", "/")}`;
      if (SOURCE.test(name)) {
        sources.set(name, withoutComments(readFileSync(path.join(root, name), "utf8")));
      }
    }
  }
  return sources;
}

/**
 * The headers of a tree that our sources include, with those that these include: their text by path. What is
 * looked for and not found anywhere is somebody else's, such as the system's.
 */
export function reachedHeaders(tree, sources) {
  const headers = new Map();
  const visit = (name, from) => {
    const beside = from === undefined ? [] : [path.posix.dirname(from)];
    const found = [...beside, ...FOLDERS]
      .map((folder) => path.posix.normalize(`${folder}/${name}`))
      .find((file) => !file.startsWith("..") && existsSync(path.join(tree, file)));
    if (found === undefined || headers.has(found)) return;
    const text = readFileSync(path.join(tree, found), "utf8");
    headers.set(found, text);
    for (const header of includesOf(text)) visit(header, found);
  };
  for (const source of sources.values()) for (const header of includesOf(source)) visit(header);
  return headers;
}

/** Headers that we include ourselves and one tree has, the other not: a build stops there. */
export function missingHeaders(before, after, sources) {
  const own = new Set([...sources.values()].flatMap(includesOf));
  const named = (headers, name) => [...headers.keys()].some((file) => file.endsWith(`/${name}`));
  return [...own].filter((name) => named(before, name) && !named(after, name)).sort();
}

/**
 * The differences of two sets of headers: `{ change, kind, name, header, before, after, members }`, `change` one of
 * "added", "removed", "changed" and "moved". Comments and white space do not count.
 */
export function headerChanges(before, after) {
  const [old, now] = [declarations(before), declarations(after)];
  const changes = [];
  for (const [key, declared] of old) {
    const other = now.get(key);
    if (other === undefined) changes.push(changeOf("removed", declared, declared, undefined));
    else changes.push(...changesOf(declared, other));
  }
  for (const [key, declared] of now) {
    if (!old.has(key)) changes.push(changeOf("added", declared, undefined, declared));
  }
  return changes.sort(
    (a, b) =>
      a.header.localeCompare(b.header) ||
      a.name.localeCompare(b.name) ||
      a.change.localeCompare(b.change),
  );
}

/** By kind and name: functions of one name are one declaration with several texts. */
function declarations(headers) {
  const all = new Map();
  for (const [header, text] of headers) {
    for (const { kind, name, text: own, body, members = [] } of declarationsOf(text)) {
      const key = `${kind} ${name}`;
      const known = all.get(key) ?? { kind, name, header, texts: [], bodies: [], members: [] };
      all.set(key, known);
      known.texts.push(own);
      if (body !== undefined) known.bodies.push(body);
      known.members.push(...members);
    }
  }
  for (const declared of all.values()) {
    declared.bodies.push(...declared.members.flatMap(({ body }) => body ?? []));
    // The order of overloads and of a declaration before its definition means nothing.
    declared.text = [...new Set(declared.texts)].sort().join("; ");
    declared.body = [...new Set(declared.bodies)].sort().join("; ");
  }
  return all;
}

function changesOf(before, after) {
  const { kind } = before;
  const members = memberChanges(before.members, after.members);
  if (before.text !== after.text || members.length > 0) {
    return [changeOf("changed", after, before, after, members)];
  }
  if (before.body !== after.body) {
    return [{ ...changeOf("changed", after, before, after), inside: true }];
  }
  if (before.header !== after.header && kind !== "macro") {
    return [{ ...changeOf("moved", after, before, after), from: before.header }];
  }
  return [];
}

function changeOf(change, { kind, name, header }, before, after, members = []) {
  return { change, kind, name, header, before: before?.text, after: after?.text, members };
}

function memberChanges(before, after) {
  const texts = (members) => new Set(members.map(({ text }) => text));
  const [old, now] = [texts(before), texts(after)];
  const gone = before.filter(({ text }) => !now.has(text));
  const added = after.filter(({ text }) => !old.has(text));
  const changes = gone.map(({ name, text }) => {
    const at = added.findIndex((one) => one.name === name);
    if (at === -1) return { change: "removed", name, before: text };
    const [other] = added.splice(at, 1);
    return { change: "changed", name, before: text, after: other.text };
  });
  changes.push(...added.map(({ name, text }) => ({ change: "added", name, after: text })));
  const order = (members, others) =>
    members.filter(({ text }) => others.has(text)).map(({ text }) => text);
  // Values of C structs are given by position, and enumerations without values counted.
  if (changes.length === 0 && order(before, now).join() !== order(after, old).join()) {
    changes.push({ change: "reordered", name: "members" });
  }
  return changes;
}

/** The files of ours that mention the name; of an enumeration, the values that are not what they were. */
export function usesOf({ name, kind, members, before, after }, sources) {
  const [plain, space] = name.split("::").reverse();
  const values = members.filter(({ change }) => change === "changed" || change === "removed");
  // Values stand without their enumeration's name.
  const byValue = kind === "enum" && before === after && values.length > 0;
  const words = byValue ? values.map((value) => wordOf(value.name)) : [wordOf(plain)];
  const files = [...sources].filter(
    ([, text]) =>
      words.some((word) => word.test(text)) &&
      // A name within a namespace is often a common word.
      (space === undefined || wordOf(space).test(text)),
  );
  return files.map(([file]) => file);
}

function wordOf(name) {
  const escaped = name.replace(/[^\w]/g, "\\$&");
  return new RegExp(`(?<!\\w)${escaped}(?!\\w)`);
}

/** Why a function of llama.h is not bound, by its name: native/llama-h-left-out.json. */
export function leftOutReasons(root) {
  const reasons = JSON.parse(
    readFileSync(path.join(root, "native", "llama-h-left-out.json"), "utf8"),
  );
  return new Map(
    Object.entries(reasons).flatMap(([reason, names]) => names.map((name) => [name, reason])),
  );
}

/**
 * What somebody has to do about a change, or undefined: a function of llama.h is used or left out with a reason
 * (test/native/rooms.test.ts), and what native/ uses has to be there.
 */
export function taskOf(change, uses, reasons) {
  const isPublic = change.header === "include/llama.h" && change.kind === "function";
  const reason = reasons.get(change.name);
  if (change.change === "removed") {
    if (uses.length > 0) return "is gone and used";
    return isPublic && reason !== undefined
      ? "is gone: take it out of native/llama-h-left-out.json"
      : undefined;
  }
  if (change.change === "added") {
    return isPublic && uses.length === 0 && reason === undefined
      ? "is new: bind it, or give the reason in native/llama-h-left-out.json"
      : undefined;
  }
  // What a type has more than before concerns nobody who did without.
  const more = change.members.length > 0 && change.members.every((one) => one.change === "added");
  if (uses.length === 0 || change.change === "moved" || change.inside || more) return undefined;
  return "changed and is used: look at it";
}
