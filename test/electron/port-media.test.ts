import { withoutFiles } from "../../lib/electron/served-media.js";

const bytes = Uint8Array.of(1, 2, 3);
const url = "data:image/png;base64,AQID";

test.each([
  ["a text", "Hello"],
  ["nothing", undefined],
  ["ids", [1, 2, 3]],
  ["segments", [{ text: "a" }, { image: bytes }, { audio: bytes }]],
  ["a message", { role: "user", content: [{ type: "image", image: bytes }] }],
  ["messages", [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }, null]],
])("%s may cross a port", (_, value) => {
  expect(withoutFiles(value)).toBe(value);
});

test.each([
  ["a segment", [{ image: "/etc/passwd" }]],
  ["a sound's segment", [{ text: "a" }, { audio: "sound.wav" }]],
  ["a message", { role: "user", content: [{ type: "image", image: "a.png" }] }],
  ["a URL", [{ role: "user", content: [{ image_url: { url: "FILE:///a.png" } }] }]],
])("%s that names a file may not", (_, value) => {
  expect(() => withoutFiles(value)).toThrow(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
});
