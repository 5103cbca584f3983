import { access, readFile } from "node:fs/promises";
import type { Command } from "commander";
import { downloadModel } from "../hub/download-model.js";
import { isReference } from "../hub/model-reference.js";
import { given } from "../internal/given.js";
import { addCommonFlags, type CommonFlags } from "./flags.js";
import { reading, UsageError } from "./report-failure.js";
import { DownloadView } from "./terminal/download-view.js";
import { interruptible } from "./terminal/interrupt.js";
import { Terminal } from "./terminal/terminal.js";

export interface HubFlags {
  revision?: string;
  endpoint?: string;
  tokenFile?: string;
}

interface PullFlags extends CommonFlags, HubFlags {
  directory?: string;
}

const HELP = `
References:
  hf:user/repo:Q4_K_M      the file of that quantisation; of a split model all parts
  hf:user/repo             Q4_K_M, else the nearest that there is
  hf:user/repo:mmproj      the projector for images
  hf:user/repo/file.gguf   a file by its path
  hf:user/repo@v1.0:Q8_0   of a branch, a tag or a commit
  https://…/file.gguf      a file of any server

What was fetched by any library of Hugging Face's is not fetched again: files go into the same cache (HF_HOME,
HF_HUB_CACHE). Tokens come from HF_TOKEN or from \`hf auth login\`, the mirror from HF_ENDPOINT. A download that was
ended goes on where it was. The file's path goes to stdout.`;

export function addPullCommand(program: Command): void {
  const command = program
    .command("pull")
    .description("fetch a model from Hugging Face or by its URL")
    .argument("<reference>", "hf:user/repo:Q4_K_M, hf:user/repo/file.gguf or a URL")
    .option("--directory <folder>", "put the files there, under their own names");
  addHubFlags(command);
  addCommonFlags(command).addHelpText("after", HELP).action(pull);
}

export function addHubFlags(command: Command): Command {
  return command
    .option("--revision <name>", "a branch, a tag or a commit (default: main)")
    .option("--endpoint <url>", "a mirror of the hub (default: HF_ENDPOINT or huggingface.co)")
    .option("--token-file <file>", "holds the access token (default: HF_TOKEN)");
}

/** A token is no argument, since everybody on the machine can read those. */
export async function hubOptionsOf({ revision, endpoint, tokenFile }: HubFlags) {
  if (tokenFile === undefined) return given({ revision, endpoint });
  const text = await reading(`token file ${tokenFile}`, () => readFile(tokenFile, "utf8"));
  const token = text.trim();
  if (token === "") throw new UsageError(`The token file ${tokenFile} holds no token.`);
  return given({ revision, endpoint, token });
}

async function pull(reference: string, flags: PullFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const { directory } = flags;
  const options = { ...(await hubOptionsOf(flags)), ...given({ directory }) };
  const onProgress = new DownloadView(terminal).show;
  const path = await interruptible((signal) =>
    downloadModel(reference, { ...options, signal, onProgress }),
  ).finally(() => terminal.clearProgress());
  if (!isReference(reference)) await reading(`model ${reference}`, () => access(path));
  await terminal.write(`${path}\n`);
}
