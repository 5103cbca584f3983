import type { Context, Sequence } from "../../lib/index.js";
import type { NativeAnswer, NativeCommand } from "../../lib/internal/native.js";
import { FakeNativeContext, openFake, settled } from "./fake-context.js";

type OfNoSequence = { type: "score" | "embed" | "rank" };

function isTask(command: NativeCommand): command is Extract<NativeCommand, OfNoSequence> {
  return ["score", "embed", "rank"].includes(command.type);
}

/** An engine of sequences: text counts as one token per segment, its length. */
export class FakeSequences extends FakeNativeContext {
  #held: NativeCommand["type"] | undefined;
  #made = 0;
  readonly #tokens = new Map<number, number[]>();

  override answers = (command: NativeCommand): NativeAnswer | undefined =>
    command.type === this.#held || isTask(command) ? undefined : this.#answer(command);

  /** Leaves the commands of this type to the test. */
  hold(type: NativeCommand["type"]): void {
    this.#held = type;
  }

  types(): NativeCommand["type"][] {
    return this.commands.map(({ command }) => command.type);
  }

  #answer(command: Exclude<NativeCommand, OfNoSequence>): NativeAnswer {
    if (command.type === "create") return this.#make([]);
    const own = this.#tokens.get(command.sequence) as number[];
    switch (command.type) {
      case "fork":
        return this.#make([...own]);
      case "evaluate":
        for (const segment of command.segments) {
          if (typeof segment === "string") own.push(segment.length);
          else if (ArrayBuffer.isView(segment)) own.push(...segment);
        }
        return { tokens: Int32Array.from(own) };
      case "logits":
        return { values: Float32Array.of(own.length) };
      case "sample":
        return { token: own.at(-1) as number };
      case "trim":
        own.length = command.length;
        return {};
      case "restore":
        own.splice(0, own.length, 4, 5);
        return { tokens: Int32Array.of(4, 5) };
      default:
        return {};
    }
  }

  #make(tokens: number[]): NativeAnswer {
    this.#tokens.set(this.#made, tokens);
    return { sequence: this.#made++ };
  }
}

export interface Opened {
  readonly native: FakeSequences;
  readonly context: Context;
  readonly sequence: Sequence;
}

/** A context of four sequences and the first of them, of which no command is told any more. */
export async function openSequence(): Promise<Opened> {
  const native = new FakeSequences();
  const context = await openFake(native, 4);
  const sequence = await context.createSequence();
  native.commands.length = 0;
  return { native, context, sequence };
}

/** Tries until `get` does not throw. */
export async function until<T>(get: () => T): Promise<T> {
  for (let i = 0; i < 50; i++) {
    try {
      return get();
    } catch {
      await settled();
    }
  }
  return get();
}
