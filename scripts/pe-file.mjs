// Reads what a Windows library exports and imports. objdump shows no delayed imports, and Node-API
// is imported with a delay; so this needs no tool.

import { readFileSync } from "node:fs";

// Places in the optional header of a 64-bit file, and its directories' numbers.
const MAGIC_64_BIT = 0x20b;
const DIRECTORIES = 112;
const EXPORTS = 0;
const IMPORTS = 1;
const DELAYED_IMPORTS = 13;
const BY_ORDINAL = 1n << 63n;

/** `{ exports: [name], imports: [{ library, names }] }`, delayed ones among the others. */
export function readPe(file) {
  const bytes = readFileSync(file);
  const headers = bytes.readUInt32LE(0x3c);
  const optional = headers + 24;
  if (bytes.toString("latin1", headers, headers + 4) !== "PE\0\0") throw new Error("no PE file");
  if (bytes.readUInt16LE(optional) !== MAGIC_64_BIT) throw new Error("not for 64 bits");
  const sections = readSections(bytes, headers);

  /** Where an address of the loaded library lies in the file. */
  const at = (address) => {
    const section = sections.find(({ from, to }) => from <= address && address < to);
    if (section === undefined) throw new Error(`no section holds 0x${address.toString(16)}`);
    return address - section.from + section.offset;
  };
  const directory = (number) => bytes.readUInt32LE(optional + DIRECTORIES + 8 * number);
  const text = (address) => {
    const from = at(address);
    return bytes.toString("latin1", from, bytes.indexOf(0, from));
  };

  /** The names in a list of 64-bit entries that ends with 0. */
  const names = (list) => {
    const found = [];
    for (let from = at(list); ; from += 8) {
      const entry = bytes.readBigUInt64LE(from);
      if (entry === 0n) return found;
      const name = entry & BY_ORDINAL ? `#${entry & 0xffffn}` : text(Number(entry) + 2);
      found.push(name);
    }
  };

  /** Of a table whose entries have the library's name and the list of names at these places. */
  const imported = (number, { size, library, list }) => {
    const found = [];
    if (directory(number) === 0) return found;
    for (let from = at(directory(number)); ; from += size) {
      const name = bytes.readUInt32LE(from + library);
      if (name === 0) return found;
      found.push({ library: text(name), names: names(bytes.readUInt32LE(from + list)) });
    }
  };

  const exported = () => {
    if (directory(EXPORTS) === 0) return [];
    const from = at(directory(EXPORTS));
    const list = at(bytes.readUInt32LE(from + 32));
    const count = bytes.readUInt32LE(from + 24);
    return Array.from({ length: count }, (_, i) => text(bytes.readUInt32LE(list + 4 * i)));
  };

  return {
    exports: exported(),
    imports: [
      ...imported(IMPORTS, { size: 20, library: 12, list: 0 }),
      ...imported(DELAYED_IMPORTS, { size: 32, library: 4, list: 16 }),
    ],
  };
}

function readSections(bytes, headers) {
  const count = bytes.readUInt16LE(headers + 6);
  const first = headers + 24 + bytes.readUInt16LE(headers + 20);
  return Array.from({ length: count }, (_, i) => {
    const section = first + 40 * i;
    const from = bytes.readUInt32LE(section + 12);
    const size = Math.max(bytes.readUInt32LE(section + 8), bytes.readUInt32LE(section + 16));
    return { from, to: from + size, offset: bytes.readUInt32LE(section + 20) };
  });
}
