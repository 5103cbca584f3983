import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { chmod, lstat, mkdir, readlink, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replaceFile } from "../../lib/internal/replace-file.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cria-replace-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

test("there or replaced, it is whole, and nothing is left beside it", async () => {
  for (const text of ["one", "two 🦙", ""]) {
    await replaceFile(at("file"), text);
    expect(readFileSync(at("file"), "utf8")).toBe(text);
  }
  expect(readdirSync(folder)).toEqual(["file"]);
});

describe("where files have modes and links", () => {
  test.each([0o600, 0o640, 0o666, 0o755])("mode %o is kept, whatever the umask", async (mode) => {
    writeFileSync(at("file"), "before");
    await chmod(at("file"), mode);
    await replaceFile(at("file"), "after");
    expect((await stat(at("file"))).mode & 0o777).toBe(mode);
  });

  test("links are followed, also to what is not there yet", async () => {
    await mkdir(at("there"));
    await symlink("there/file", at("link"));
    await symlink(at("link"), at("link to it"));
    for (const text of ["one", "two"]) {
      await replaceFile(at("link to it"), text);
      expect(await readlink(at("link"))).toBe("there/file");
      expect((await lstat(at("there/file"))).isFile()).toBe(true);
      expect(readFileSync(at("there/file"), "utf8")).toBe(text);
    }
  });

  test("what is no regular file, or read-only, stays as it is", async () => {
    execFileSync("mkfifo", [at("pipe")]);
    await symlink("circle", at("circle"));
    writeFileSync(at("kept"), "before", { mode: 0o400 });
    for (const name of [at("pipe"), at("circle"), at("kept"), folder, "/dev/null"]) {
      await expect(replaceFile(name, "after")).rejects.toThrow(/regular|nowhere|read-only/);
    }
    expect((await lstat(at("pipe"))).isFIFO()).toBe(true);
    expect(readFileSync(at("kept"), "utf8")).toBe("before");
    expect(readdirSync(folder).sort()).toEqual(["circle", "kept", "pipe"]);
  });
});
