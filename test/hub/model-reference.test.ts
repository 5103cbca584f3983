import { isSafePath, readReference } from "../../lib/hub/model-reference.js";

const read = (value: unknown) => readReference(value, "reference");

test.each([
  ["hf:user/repo", { repository: "user/repo" }],
  ["HF:user/repo", { repository: "user/repo" }],
  ["hf:user/repo:Q4_K_M", { repository: "user/repo", tag: "Q4_K_M" }],
  ["hf:u/Re.po-1_2:UD-Q4_K_XL", { repository: "u/Re.po-1_2", tag: "UD-Q4_K_XL" }],
  ["hf:user/repo@v1.0:Q8_0", { repository: "user/repo", revision: "v1.0", tag: "Q8_0" }],
  ["hf:user/repo/a.gguf", { repository: "user/repo", file: "a.gguf" }],
  [
    "hf:user/repo@main/b c/a.GGUF",
    { repository: "user/repo", revision: "main", file: "b c/a.GGUF" },
  ],
])("%s", (text, parts) => {
  const none = { file: undefined, tag: undefined, revision: undefined };
  expect(read(text)).toEqual({ kind: "hub", ...none, ...parts });
});

test("URLs and paths", () => {
  expect(read("https://example.org/a.gguf?x=1#y")).toEqual({
    kind: "url",
    url: new URL("https://example.org/a.gguf?x=1"),
  });
  for (const path of ["models/a.gguf", "C:\\models\\a.gguf", "./hf:user/repo", "hf"]) {
    expect(read(path)).toEqual({ kind: "path", path });
  }
});

test.each([
  ...[
    "hf:",
    "hf:user",
    "hf:user/",
    "hf:/repo",
    "hf:user/repo/",
    "hf:user/repo/a.bin",
    "hf:user/repo:",
  ],
  ...[
    "hf:user/repo/../../x",
    "hf:user/repo/../x.gguf",
    "hf:../repo",
    "hf:user/..",
    "hf:user/repo/./x.gguf",
  ],
  ...[
    "hf:user/repo//x.gguf",
    "hf:user/repo/x\\y.gguf",
    "hf:user/repo/con.gguf",
    "hf:user/repo/x:y.gguf",
  ],
  ...[
    "hf:user/repo@../x:Q4_0",
    "hf:user/repo@:Q4_0",
    "hf:us er/repo",
    "hf:user/re--po",
    "hf:user/repo:Q4/x",
  ],
  ...["hf:user/repo@a:b:c", "hf:user/repo?x", "https://", "https://user:pw@example.org/a.gguf"],
  ...["", "a\0b", "\ud800", 5, null, undefined, {}, `hf:user/repo/${"x".repeat(5000)}.gguf`],
])("%j is refused", (value) => {
  expect(() => read(value)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
});

test.each([
  ...[
    "",
    ".",
    "..",
    "../x",
    "x/..",
    "x/../y",
    "/x",
    "x//y",
    "x/",
    "a\\b",
    "C:x",
    "NUL",
    "com1.gguf",
  ],
  ...["x.", "x ", "a\nb", "a\u0000b", "a*b", "...", "x".repeat(256)],
])("%j leads elsewhere, or is no name somewhere", (path) => {
  expect(isSafePath(path)).toBe(false);
});

test.each(["x", "x/y.gguf", ".hidden/x", "ä ö.gguf", "console.gguf"])("%j is a path", (path) => {
  expect(isSafePath(path)).toBe(true);
});
