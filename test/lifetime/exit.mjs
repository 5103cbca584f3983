// Exits with code 7 in the middle of the work that argv[3] names. argv[4]: "disposing", with a dispose
// under way; "alone", with every listener removed; "thrown", with one that throws before others.
import { Model, path, pause, rounds, smallBatches, underWay } from "./setup.mjs";

const [phase, how] = process.argv.slice(3);

if (phase === "load") {
  Model.load(path);
  await pause(rounds);
} else {
  const model = await Model.load(path);
  if (phase === "open") {
    model.createContext(smallBatches);
    await pause(rounds);
  } else {
    const context = await model.createContext({ ...smallBatches, sequences: 2 });
    await underWay(model, context, phase, rounds % 8);
  }
  if (how === "disposing") model.dispose();
}
if (how === "alone") process.removeAllListeners();
if (how === "thrown") {
  process.prependListener("exit", () => {
    process.reallyExit(7);
  });
}
process.send?.({ exitAt: Date.now() });
process.exit(7);
