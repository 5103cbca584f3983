import { lookup } from "node:dns/promises";
import { mkdir } from "node:fs/promises";
import { BlockList, isIP, isIPv6 } from "node:net";
import { resolve } from "node:path";
import type { Command } from "commander";
import { engine } from "../internal/engine-loader.js";
import { fromNative, messageOf } from "../internal/errors.js";
import { nativeCall } from "../internal/native-work.js";
import { WORKER_PORT } from "../model/worker-url.js";
import { deviceOption } from "./device-option.js";
import { addCommonFlags, type CommonFlags, whole } from "./flags.js";
import { reading, UsageError } from "./report-failure.js";
import { onInterrupt } from "./terminal/interrupt.js";
import { Terminal } from "./terminal/terminal.js";

interface RpcServerFlags extends CommonFlags {
  port: number;
  host: string;
  allowNetwork?: boolean;
  threads?: number;
  device?: string[];
  cache?: string;
}

const PORT_MAX = 65_535;

const EXAMPLES = `
Examples:
  $ cria rpc-server --port 0
  $ cria rpc-server --host 10.0.0.2 --allow-network --threads 16
  $ cria generate model.gguf "Hello" --device rpc://10.0.0.2:50052 --gpu-layers all

SECURITY: THE PROTOCOL HAS NO PASSWORD AND NO ENCRYPTION, AND ITS CODE IS NOT WRITTEN FOR HOSTILE CLIENTS.
Whoever can reach the port can read and change what this process holds, and may make it run code of his. Listen on
other addresses than loopback in a closed network only, behind a firewall, or through an SSH or WireGuard tunnel.

The worker's URL goes to stdout. It serves one process at a time, with all of that process's models. Client and
worker have to be of the same version of cria.`;

export function addRpcServerCommand(program: Command): void {
  const command = program
    .command("rpc-server")
    .description("lend this machine's memory and processors to another: run a part of its model")
    .option("--port <n>", "0 takes any that is free", whole(0, PORT_MAX), WORKER_PORT)
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--allow-network", "listen on other addresses than loopback, INSECURE: read below")
    .option(
      "--threads <n>",
      "threads that compute on the CPU (default: the physical cores)",
      whole(1),
    )
    .addOption(
      deviceOption(
        "a device to lend, as `cria devices` names it; may be given several times (default: the GPUs, or the CPU)",
      ),
    )
    .option("--cache <folder>", "keep large tensors there, so that they are sent once");
  addCommonFlags(command).addHelpText("after", EXAMPLES).action(rpcServer);
}

async function rpcServer(flags: RpcServerFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const address = await addressOf(flags.host);
  const open = !isLoopback(address);
  if (open && flags.allowNetwork !== true) throw new UsageError(REFUSED(flags.host));
  const cache = flags.cache === undefined ? "" : await folder(flags.cache);
  const { addon } = engine();
  const server = nativeCall(() =>
    addon.startRpcServer({
      address,
      port: flags.port,
      threads: flags.threads ?? 0,
      devices: flags.device ?? [],
      cache,
    }),
  );
  const ended = server.ended.catch((error) => {
    throw fromNative(error);
  });
  const release = onInterrupt(() => server.stop());
  const stop = () => server.stop();
  process.on("SIGTERM", stop);
  try {
    if (open) process.stderr.write(`${WARNING}\n`); // with --quiet, too
    terminal.note("a worker for one process at a time (Ctrl-C ends it)");
    await terminal.write(`rpc://${isIPv6(address) ? `[${address}]` : address}:${server.port}\n`);
    await ended;
  } finally {
    process.off("SIGTERM", stop);
    release();
  }
}

const REFUSED = (host: string) =>
  `${host} can be reached from other machines, and the protocol has no password: whoever reaches the port ` +
  "can take over this process. In a closed network say --allow-network; elsewhere listen on 127.0.0.1 and use " +
  "a tunnel.";

const WARNING =
  "WARNING: anybody who can reach this port can take over this process. The protocol has no password and no " +
  "encryption.";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

function isLoopback(address: string): boolean {
  return LOOPBACK.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

async function addressOf(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new UsageError(`--host ${host} is no address of this machine: ${messageOf(error)}`);
  }
}

/** ggml writes files into it, and makes none. */
async function folder(path: string): Promise<string> {
  const whole = resolve(path);
  await reading(`cache folder ${path}`, () => mkdir(whole, { recursive: true }));
  return whole;
}
