// Files, by OpenAI's own client, and by forms that no client sends.
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import type OpenAI from "openai";
import { toFile } from "openai";
import { Model } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";
import { errorShape, type ServedHttp, served } from "../support/served.js";

let model: Model;
let here: ServedHttp;
const MAX_FILE = 20_000;
beforeAll(async () => {
  model = await Model.load(MODEL);
  here = await served({ models: { demo: model }, maxFile: MAX_FILE, maxStorage: 4 * MAX_FILE });
});
afterAll(async () => {
  await here.close();
  await model.dispose();
});

const upload = async ({ client }: ServedHttp, text: string) =>
  client.files.create({ file: await toFile(Buffer.from(text), "in.jsonl"), purpose: "batch" });
const failure = (call: Promise<unknown>) => call.catch((error: unknown) => error);

describe("files", () => {
  test("are kept, listed, read and deleted", async () => {
    const { client } = here;
    const one = await upload(here, "one\n");
    expect(one).toEqual({
      ...{ id: expect.stringMatching(/^file-[0-9a-f]{24}$/), object: "file", bytes: 4 },
      ...{ created_at: expect.any(Number), filename: "in.jsonl", purpose: "batch" },
      status: "processed",
    });
    const two = await upload(here, "two");
    expect(await client.files.retrieve(one.id)).toEqual(one);
    expect(await (await client.files.content(one.id)).text()).toBe("one\n");
    const ids = async (query: OpenAI.FileListParams) => {
      const found = [];
      for await (const { id } of client.files.list(query)) found.push(id);
      return found;
    };
    expect(await ids({ limit: 1 })).toEqual([two.id, one.id]); // page after page
    expect(await ids({ order: "asc" })).toEqual([one.id, two.id]);
    expect(await ids({ purpose: "batch_output" })).toEqual([]);
    for (const { id } of [one, two]) {
      expect(await client.files.delete(id)).toEqual({ id, object: "file", deleted: true });
    }
    const gone = { status: 404, code: "file_not_found" };
    expect(await failure(client.files.retrieve(one.id))).toMatchObject(gone);
    expect(await failure(client.files.content(one.id))).toMatchObject(gone);
    expect(await failure(client.files.delete(one.id))).toMatchObject(gone);
    expect(await ids({})).toEqual([]);
  });

  test("a name is shown, and leads nowhere", async () => {
    const file = await toFile(Buffer.from("x"), "../../../etc/passwd");
    const sent = await here.client.files.create({ file, purpose: "batch" });
    expect(sent.filename).not.toContain("/");
    const boundary = "x";
    const odd = `${"é".repeat(300)}\u0001`;
    const form = `--x\r\ncontent-disposition: form-data; name="file"; filename="${odd}"\r\n\r\nhi\r\n--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x--`;
    const answer = await post(form, boundary);
    expect(answer).toMatchObject({ filename: odd.slice(0, 255), bytes: 2 });
    for (const path of ["..%2f..%2fetc%2fpasswd", "../../etc/passwd", `${sent.id}/../x`, "%00"]) {
      const refused = await raw(`/v1/files/${path}/content`);
      expect(refused).toMatchObject({ error: { type: "not_found_error" } });
    }
    await here.client.files.delete(sent.id);
    await here.client.files.delete((answer as { id: string }).id);
  });

  test("have limits, each and together", async () => {
    const { client } = here;
    const large = await failure(upload(here, "x".repeat(MAX_FILE + 1)));
    expect(large).toMatchObject({ status: 413, code: "file_too_large", param: "file" });
    const kept = [];
    for (let i = 0; i < 4; i++) kept.push(await upload(here, "x".repeat(MAX_FILE)));
    const full = await failure(upload(here, "x"));
    expect(full).toMatchObject({ status: 413, code: "storage_full" });
    for (const { id } of kept) await client.files.delete(id);
    await client.files.delete((await upload(here, "x")).id); // what was refused takes no room
    expect((await client.files.list()).data).toEqual([]);
  });

  test("another purpose, another field, no file, no name", async () => {
    const file = await toFile(Buffer.from("x"), "x");
    const create = (params: object) =>
      failure(here.client.files.create(params as OpenAI.FileCreateParams));
    const wrong = { status: 400, type: "invalid_request_error" };
    expect(await create({ file, purpose: "assistants" })).toMatchObject({
      ...{ ...wrong, param: "purpose" },
    });
    expect(await create({ file })).toMatchObject({ ...wrong, param: "purpose" });
    const expires_after = { anchor: "created_at", seconds: 3600 };
    expect(await create({ file, purpose: "batch", expires_after })).toMatchObject(wrong);
    expect(await create({ purpose: "batch" })).toMatchObject({ code: "invalid_form" });
    expect((await here.post("/v1/files", { file: "x" })).status).toBe(415);
  });
});

/** A form as it is given, and the answer's JSON. */
const post = (form: string | Buffer, boundary: string): Promise<unknown> =>
  fetch(`${here.url}/v1/files`, {
    method: "POST",
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    body: form,
  }).then((answer) => answer.json());

/** A path as it is given, which `fetch` would tidy up. */
const raw = (path: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(here.url);
    request({ hostname, port, path }, (answer) => {
      let text = "";
      answer.on("data", (piece) => {
        text += piece;
      });
      answer.on("end", () => resolve(JSON.parse(text)));
    })
      .on("error", reject)
      .end();
  });

describe("forms that no client sends", () => {
  const part = (headers: string, body: string) => `--x\r\n${headers}\r\n\r\n${body}\r\n`;
  const file = 'content-disposition: form-data; name="file"; filename="f"';
  const purpose = part('content-disposition: form-data; name="purpose"', "batch");

  test.each([
    ["nothing", ""],
    ["no boundary", "hello"],
    ["no end", part(file, "x") + purpose],
    ["cut in the file", `--x\r\n${file}\r\n\r\nhalf of`],
    ["cut in the head", `--x\r\n${file.slice(0, 30)}`],
    ["two files", `${part(file, "x")}${part(file, "y")}${purpose}--x--`],
    ["two purposes", `${part(file, "x")}${purpose}${purpose}--x--`],
    ["parts without names", `${part("content-disposition: form-data", "x")}--x--`],
    ["parts without heads", "--x\r\n\r\n\r\nbody\r\n--x--"],
    ["a file under another name", `${part(file.replace("file", "fire"), "x")}${purpose}--x--`],
    ["many fields", `${purpose.replace("purpose", "a").repeat(200)}--x--`],
    ["a long field", `${part('content-disposition: form-data; name="a"', "y".repeat(5000))}--x--`],
    ["a long head", `${part(`${file}\r\nx: ${"y".repeat(50_000)}`, "x")}--x--`],
    ["boundaries alone", `${"--x\r\n".repeat(1000)}--x--`],
  ])("%s", async (_, form) => {
    const answer = (await post(form, "x")) as { error: { param: string | null } };
    const { param } = answer.error;
    expect(answer).toEqual(errorShape({ type: "invalid_request_error", param }));
    expect((await here.client.files.list()).data).toEqual([]);
  });

  test("bytes of any kind", async () => {
    const bytes = randomBytes(10_000);
    const form = Buffer.concat([
      Buffer.from(`--x\r\n${file}\r\n\r\n`),
      bytes,
      Buffer.from(`\r\n${purpose}--x--`),
    ]);
    const { id } = (await post(form, "x")) as { id: string };
    const back = Buffer.from(await (await here.client.files.content(id)).arrayBuffer());
    expect(back.equals(bytes)).toBe(true);
    await here.client.files.delete(id);
  });
});
