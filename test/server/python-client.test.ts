// The server by OpenAI's package for Python: CRIA_TEST_PYTHON names a Python that has it.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Model } from "../../lib/index.js";
import { MODEL, ROOT } from "../support/paths.js";
import { served } from "../support/served.js";

test("chats, streams, completions, embeddings, files and batches", async () => {
  const model = await Model.load(MODEL);
  const here = await served({ models: { demo: { model, context: { contextSize: 256 } } } });
  try {
    const { CRIA_TEST_PYTHON: python = "" } = process.env;
    const script = join(ROOT, "test/server/python-client.py");
    const { stdout } = await promisify(execFile)(python, [script, `${here.url}/v1`]);
    const answer = "A baby llama is called a cria.";
    expect(JSON.parse(stdout)).toEqual({
      ...{ whole: answer, streamed: answer, echo: "Once", result: answer, batch: "completed" },
      vectors: [model.embeddingLength, model.embeddingLength],
      ...{ counts: { total: 1, completed: 1, failed: 0 }, files: ["batch_output"] },
    });
  } finally {
    await here.close();
    await model.dispose();
  }
});
