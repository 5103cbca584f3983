// The first inputs of the fuzzers, and words of their languages. Written anew each time, so that
// none of it is kept in the repository.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** As core/state_file.cpp lays it out; with a checksum that the fuzzer's mutator mends. */
function stateFile(tokens, state) {
  const header = Buffer.alloc(40);
  header.write("cria-seq");
  header.writeUInt32LE(1, 8);
  header.writeUInt32LE(tokens, 12);
  header.writeBigUInt64LE(BigInt(state), 24);
  return Buffer.concat([header, Buffer.alloc(4 * tokens + state, 3)]);
}

const seeds = {
  "text-stream": [
    "\x02stop\x03\xc3\xa9\x01\x02\x03hello stop \xc3\xa9",
    "\xf0\x9f\xa6\x99\xf0\x9f",
  ],
  utf8: ["a\xc3\xa9\xe2\x82\xac\xf0\x9f\xa6\x99", "\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\xf0\x9f"],
  trigger: [
    "^\\s*(\\{)\x01 { a",
    "<tool>(\\{)\x01 <tool>{",
    "(a*)*b\x01aaaaaaaaaaaa",
    "^[\\s\\S]*?(x)\x01yyx",
  ],
  "state-file": [stateFile(0, 0), stateFile(2, 16), stateFile(6, 300)],
  grammar: [
    'root ::= "a" [^\\x80-\\U0010FFFF]+ <|eot_id|> # x',
    "root ::= r1 | <[12]>\nr1 ::= [a-z]{1,3}",
  ],
  "prompt-cutter": ["\x03\x01<|eot_id|>\x02text<|start_header_id|>", "\x02\x00<|\x05"],
};

const words = {
  grammar: [
    "::=",
    "root",
    "[^",
    "]",
    "<[",
    "<|eot_id|>",
    "\\U0010FFFF",
    "\\x80",
    '"',
    "{1,}",
    "|",
    "#",
  ],
  trigger: [
    "(?:",
    "(?=",
    "[[:digit:]]",
    "[\\s\\S]",
    "*?",
    "{2,3}",
    "\\1",
    "\\b",
    "^",
    "$",
    "(",
    ")",
  ],
  "text-stream": ["\xc3\xa9", "\xf0\x9f\xa6\x99", "\xef\xbf\xbd", "\xed\xa0\x80"],
  "prompt-cutter": ["<|eot_id|>", "<|start_header_id|>", "<|begin_of_text|>", "<|", "|>"],
};

/** Writes those of one fuzzer into a folder. Returns the path of its dictionary, if it has one. */
export function writeSeeds(name, folder) {
  mkdirSync(folder, { recursive: true });
  for (const [index, seed] of (seeds[name] ?? []).entries()) {
    writeFileSync(join(folder, `seed-${index}`), Buffer.from(seed, "latin1"));
  }
  const known = words[name];
  if (known === undefined) return undefined;
  const bytes = (word) =>
    [...Buffer.from(word, "latin1")]
      .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
      .join("");
  const dictionary = join(folder, "..", `${name}.dict`);
  writeFileSync(dictionary, known.map((word) => `"${bytes(word)}"\n`).join(""));
  return dictionary;
}
