import { readFile } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { GuardVariant } from "../guard/guard-types.js";
import { deferred } from "../internal/deferred.js";
import { messageOf } from "../internal/errors.js";
import { given } from "../internal/given.js";
import type { HostedModelInput } from "../server/hosted-options.js";
import type { AnsweredRequest } from "../server/server-options.js";
import {
  addCommonFlags,
  addContextFlags,
  type CommonFlags,
  type ContextFlags,
  chatTemplateOption,
  GUARD_VARIANTS,
  projectorOption,
  readChatTemplate,
  whole,
} from "./flags.js";
import { reading, UsageError } from "./report-failure.js";
import {
  addSpeculationFlags,
  checkSpeculation,
  mtpOf,
  type SpeculationFlags,
  speculationOf,
} from "./speculation-flags.js";
import { interruptible, onInterrupt } from "./terminal/interrupt.js";
import { Terminal } from "./terminal/terminal.js";
import { visible } from "./terminal/visible.js";
import { flagsBeside, loadModel } from "./with-context.js";

interface ServeFlags extends CommonFlags, ContextFlags, SpeculationFlags {
  port: number;
  host: string;
  apiKeyFile?: string;
  cors?: string[];
  sequences?: number;
  queue?: number;
  timeout?: number;
  idle?: number;
  maxBody?: number;
  files?: string;
  maxFile?: number;
  json?: boolean;
  maxTokens?: number;
  chatTemplate?: string;
  page: boolean;
  pooling?: "mean" | "cls" | "last";
  guardVariant?: GuardVariant;
}

const PORT = 8080;
const PORT_MAX = 65_535;
/** Seconds, of which the library takes thousandths. */
const SECONDS_MAX = 2_000_000;

const EXAMPLES = `
Examples:
  $ cria serve model.gguf
  $ cria serve chat=llama-3.2-3b.gguf embed=nomic-embed.gguf --idle 300
  $ cria serve model.gguf --host 0.0.0.0 --api-key-file keys.txt
  $ cria serve model.gguf --port 0 --quiet --json   # a program reads where it listens
  $ curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \\
      -d '{"messages": [{"role": "user", "content": "Hello"}]}'

One model is loaded at once; of several, each is with the first request that names it. Ctrl-C lets the answers
that are under way end, and a second one stops at once.`;

export function addServeCommand(program: Command): void {
  const command = program
    .command("serve")
    .description("answer over HTTP as OpenAI's API does")
    .argument(
      "<model...>",
      "GGUF files (of a split model the first part), hf:user/repo:Q4_K_M or URLs, each also as name=file",
    )
    .option("--port <n>", "0 takes any that is free", whole(0, PORT_MAX), PORT)
    .option("--host <address>", "where to listen; 0.0.0.0 is open to the network", "127.0.0.1")
    .option("--api-key-file <file>", "a key a line, one of which has to come with each request")
    .addOption(
      new Option(
        "--cors <origin>",
        "pages of this origin may ask; may be given several times",
      ).argParser(anotherOrigin),
    )
    .option("--no-page", "without the chat page at /")
    .option("--sequences <n>", "answers that are generated at a time (default: 4)", whole(1, 256))
    .option(
      "--queue <n>",
      "more that may wait; others are told to come later (default: 64)",
      whole(0, 65_536),
    )
    .option(
      "--timeout <s>",
      "seconds that an answer may take (default: 600)",
      whole(1, SECONDS_MAX),
    )
    .option(
      "--idle <s>",
      "unload a model after so many seconds without a request",
      whole(1, SECONDS_MAX),
    )
    .option("--max-body <bytes>", "of a request (default: 16777216)", whole(1))
    .option(
      "--files <folder>",
      "keep files and batches here, and go on with them at the next start",
    )
    .option("--max-file <bytes>", "of a file for a batch (default: 209715200)", whole(1))
    .option("--json", "tell where it listens as one JSON object on stdout, also with --quiet")
    .option("--max-tokens <n>", "of an answer, where a request does not say", whole(1))
    .addOption(chatTemplateOption())
    .addOption(projectorOption())
    .addOption(new Option("--pooling <name>", "of embeddings").choices(["mean", "cls", "last"]))
    .addOption(
      new Option("--guard-variant <name>", "takes the model for this guard, unseen").choices(
        GUARD_VARIANTS,
      ),
    );
  addContextFlags(command);
  addSpeculationFlags(command);
  addCommonFlags(command).addHelpText("after", EXAMPLES).action(serve);
}

function anotherOrigin(text: string, earlier: string[] | undefined): string[] {
  if (URL.canParse(text) && new URL(text).origin === text) return [...(earlier ?? []), text];
  throw new InvalidArgumentError("Expected an origin such as https://example.org.");
}

async function serve(names: readonly string[], flags: ServeFlags): Promise<void> {
  checkSpeculation(flags);
  const terminal = new Terminal(flags);
  const files = namedFiles(names);
  const apiKeys = flags.apiKeyFile === undefined ? [] : await readKeys(flags.apiKeyFile);
  const models = await modelsOf(files, flags, terminal);
  const milliseconds = (seconds: number | undefined) => seconds && seconds * 1000;
  const { createServer } = await import("../server/create-server.js");
  const server = createServer({
    models: models.hosted,
    apiKeys,
    page: flags.page,
    onRequest: (request) => {
      // Of the page one line is enough.
      if (!request.path.startsWith("/page/")) terminal.note(lineOf(request));
    },
    ...given({
      cors: flags.cors,
      queue: flags.queue,
      maxBody: flags.maxBody,
      timeout: milliseconds(flags.timeout),
      idle: milliseconds(flags.idle),
      filesDirectory: flags.files,
      maxFile: flags.maxFile,
    }),
  });
  try {
    await interruptible((signal) => server.prepare({ models: models.ready, signal }));
    await listening(server, flags);
    const url = urlOf(server.address() as AddressInfo);
    const what = flags.page ? "open it in a browser to chat; " : "";
    terminal.note(`listening on ${url} (${what}Ctrl-C ends it)`);
    if (flags.json) await terminal.writeJson({ url, models: [...files.keys()] });
    await untilEnded(server, terminal);
  } catch (error) {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    throw error;
  } finally {
    await models.dispose();
  }
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

/** Names with their files. A file alone goes by its name without the ending. */
function namedFiles(models: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const model of models) {
    const [, name, path] = /^([^=/\\]+)=(.+)$/s.exec(model) ?? [];
    const file = path ?? model;
    const own = name ?? modelName(file);
    if (files.has(own)) {
      throw new UsageError(
        `Two models are called ${own}: give one another name, as in name=${file}.`,
      );
    }
    files.set(own, file);
  }
  return files;
}

/** Of a URL without its query. */
function modelName(file: string): string {
  const path = /^https?:/i.test(file) && URL.canParse(file) ? new URL(file).pathname : file;
  return basename(path).replace(/\.gguf$/i, "");
}

async function readKeys(file: string): Promise<string[]> {
  const text = await reading(`API key file ${file}`, () => readFile(file, "utf8"));
  const keys = text.split(/\r?\n/).map((line) => line.trim());
  const some = keys.filter((key) => key !== "" && !key.startsWith("#"));
  // Without a key all may ask, which is not what the file was given for.
  if (some.length === 0) throw new UsageError(`The API key file ${file} holds no key.`);
  return some;
}

/** One model that stays is loaded now and its context made, so that what is wrong with it is told now. */
async function modelsOf(files: ReadonlyMap<string, string>, flags: ServeFlags, terminal: Terminal) {
  const { contextSize, threads, sequences, gpuLayers, maxTokens, pooling } = flags;
  const devices = flags.device;
  const variant = flags.guardVariant;
  const { projector } = flags;
  if (projector !== undefined && files.size > 1) {
    throw new UsageError("--projector belongs to one model: serve one, or use createServer().");
  }
  const chatTemplate = await readChatTemplate(flags);
  // One draft for all the models that are served: it has to have their vocabulary.
  const { draftModel } = flags;
  const load = (file: string, own: ContextFlags) =>
    interruptible((signal) => loadModel(file, own, { terminal, signal })).finally(() =>
      terminal.clearProgress(),
    );
  const draft = draftModel === undefined ? undefined : await load(draftModel, flagsBeside(flags));
  const speculation = speculationOf(flags, draft);
  const settings = {
    context: given({ contextSize, threads, sequences, speculation }),
    ...given({ maxTokens, pooling, chatTemplate, guard: variant && { variant } }),
  };
  const [only, ...more] = files;
  if (only !== undefined && more.length === 0 && flags.idle === undefined) {
    const [name, path] = only;
    const model = await load(path, flags).catch(async (error) => {
      await draft?.dispose();
      throw error;
    });
    const hosted: Record<string, HostedModelInput> = { [name]: { model, ...settings } };
    return { hosted, ready: [name], dispose: () => model.dispose().then(() => draft?.dispose()) };
  }
  const hosted: Record<string, HostedModelInput> = {};
  const loading = { ...given({ gpuLayers, devices, projector }), ...mtpOf(flags) };
  for (const [name, model] of files) {
    hosted[name] = { model, load: loading, ...settings };
  }
  return { hosted, ready: [], dispose: async () => draft?.dispose() };
}

function listening(server: Server, { host, port }: ServeFlags): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** The first Ctrl-C, or a SIGTERM, lets what runs finish; the second does not. */
async function untilEnded(server: Server, terminal: Terminal): Promise<void> {
  const ended = deferred<void>();
  let ending = false;
  const end = () => {
    if (ending) return server.closeAllConnections();
    ending = true;
    terminal.note("finishing what runs (Ctrl-C again stops at once)");
    server.close(() => ended.resolve());
  };
  const release = onInterrupt(end);
  process.on("SIGTERM", end);
  try {
    await ended.promise;
  } finally {
    process.off("SIGTERM", end);
    release();
  }
}

/** One line, whatever the client sent: its path, and what the message quotes of its body. */
function lineOf({ method, path, status, milliseconds, model, error }: AnsweredRequest): string {
  const why = error === undefined || status === 499 ? "" : `: ${visible(messageOf(error))}`;
  const by = model === undefined ? "" : ` ${model}`;
  return `${status} ${method} ${visible(path)}${by} ${Math.round(milliseconds)} ms${why}`;
}
