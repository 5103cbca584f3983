// Disposes and aborts in the middle of loading, creating, prefilling and decoding.
import { endlessSampler, longPrompt, Model, path, pause, rounds, smallBatches } from "./setup.mjs";

async function expectError(promise, matches) {
  const error = await promise.then(
    () => new Error("it did not reject"),
    (reason) => reason,
  );
  if (!matches(error)) throw error;
}
const disposed = (error) => error?.code === "ERR_DISPOSED";

for (let round = 0; round < rounds; round++) {
  const controller = new AbortController();
  const loading = Model.load(path, { signal: controller.signal }).then(async (model) => {
    await model.dispose();
    throw "aborted"; // it was faster than the abort
  });
  loading.catch(() => {}); // it may be faster, see above
  await pause(round);
  controller.abort("aborted");
  await expectError(loading, (error) => error === "aborted");

  const model = await Model.load(path);
  const opening = model.createContext(smallBatches).catch((error) => error);
  if (round % 2) await pause(round);
  await Promise.all([model.dispose(), model.dispose()]);
  const opened = await opening;
  if (!disposed(opened) && !opened.disposed) throw opened;

  for (const phase of ["prefill", "decode"]) {
    const model = await Model.load(path);
    const context = await model.createContext({ ...smallBatches, sequences: 2 });
    const sampler = endlessSampler(model);
    const prompts =
      phase === "prefill" ? [longPrompt(model), longPrompt(model)] : ["The", "A", "Once"];
    const generations = prompts.map((prompt) => context.generate(prompt, { sampler }));
    await pause(round);
    const closing = round % 2 ? model.dispose() : context.dispose();
    for (const generation of generations) {
      const result = generation.result().then(({ stopReason }) => {
        if (stopReason !== "context-full") throw new Error(stopReason);
        throw Object.assign(new Error(), { code: "ERR_DISPOSED" }); // it was faster
      });
      await expectError(result, disposed);
    }
    await closing;
    await model.dispose();
  }
}
