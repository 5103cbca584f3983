import {
  isPackage,
  isPackaged,
  PACKAGED_FOR,
  prebuiltPlatforms,
  type SkippedEngine,
  versionOf,
} from "./engine-files.js";
import { CriaError } from "./errors.js";

/** What to do about words of the system's linker, for the person who reads them. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /libcuda\.so|nvcuda\.dll/,
    "NVIDIA's driver is missing. Install the one of your system's packages.",
  ],
  [
    /lib(cudart|cublas|cublasLt)\.so|(cudart|cublas\w*)64/,
    "CUDA 12's libraries are missing; those of another version do not do. Install the CUDA toolkit 12, or of it the " +
      "packages of cudart and cublas.",
  ],
  [
    /libvulkan\.so|vulkan-1\.dll/,
    "Vulkan's loader is missing. Install it with your GPU's driver (Debian: libvulkan1 mesa-vulkan-drivers).",
  ],
  [
    /(GLIBC|GLIBCXX|CXXABI)_[\d.]+' not found/,
    "This Linux is older than the prebuilds are made for. Build the engine from source (below).",
  ],
  [
    /libc\.musl|ld-musl|ld-linux|Error relocating/,
    "The file is for another C library (glibc or musl) than this system has. Install cria on this system, " +
      "not on another one to be copied.",
  ],
  [
    /invalid ELF header|wrong ELF class|not a valid Win32|mach-o.*(architecture|slice)|exec format/i,
    "The file is for another system or processor, or damaged. Install cria on this system, not on another " +
      "one to be copied.",
  ],
];

/** Advice on why an engine was not loaded, where there is some. */
export function adviceOn({ problem }: SkippedEngine): string | undefined {
  return ADVICE.find(([words]) => words.test(problem))?.[1];
}

/** What was looked for, where, what was wrong with it, and which commands help. */
export function engineNotFound(
  root: string,
  env: NodeJS.ProcessEnv,
  skipped: readonly SkippedEngine[],
): CriaError {
  const target = `${process.platform}-${process.arch}`;
  const lines =
    skipped.length > 0
      ? [`No engine of cria could be loaded on ${target}:`, ...skipped.flatMap(asLines)]
      : [`There is no engine of cria for ${target} in ${root}: neither a build nor a prebuild.`];
  lines.push(...remedies(root, env, target));
  return new CriaError("ERR_ENGINE_NOT_FOUND", lines.join("\n"), {
    details: { target, root, attempts: skipped.map(({ path, problem }) => ({ path, problem })) },
  });
}

function asLines(skipped: SkippedEngine): string[] {
  const advice = adviceOn(skipped);
  const line = `  ${skipped.path}: ${skipped.problem}`;
  return advice === undefined ? [line] : [line, `    ${advice}`];
}

function remedies(root: string, env: NodeJS.ProcessEnv, target: string): string[] {
  if (env.CRIA_BINARY) {
    return ["CRIA_BINARY is set, so only that file was tried: unset it or set it right."];
  }
  if (!isPackage(root)) {
    return [
      "cria's code was bundled, and its package is not there to take the engine from. Leave it out of the",
      'bundle (mark "cria" as external: serverExternalPackages, --external:cria) and install it beside.',
    ];
  }
  const insisted = env.CRIA_BACKEND && env.CRIA_BACKEND !== "auto" ? env.CRIA_BACKEND : undefined;
  const otherwise =
    insisted === undefined ? [] : ["  unset CRIA_BACKEND   (takes the best engine that is there)"];
  if (isPackaged(insisted)) {
    return [
      `CRIA_BACKEND is set, so only an engine for ${insisted} is taken. To recover, one of:`,
      ...(PACKAGED_FOR.includes(target)
        ? [`  npm install cria-${insisted}@${versionOf(root)}`]
        : []),
      `  npm explore cria -- npm run build:native -- --${insisted}   (builds from source: its SDK, C++17 compiler, CMake, git)`,
      ...otherwise,
    ];
  }
  if (/\.asar[\\/]/.test(`${root}/`)) {
    return [
      "The engine is not beside the asar archive, from which nothing can be loaded. Have it unpacked:",
      '  electron-builder: "asarUnpack": ["**/*.node"]',
      "  Electron Forge: @electron-forge/plugin-auto-unpack-natives",
    ];
  }
  const platforms = prebuiltPlatforms(root);
  const others =
    platforms.length > 0 && !platforms.includes(target)
      ? [`The package has prebuilds for ${platforms.join(", ")}.`]
      : [];
  return [
    ...others,
    "To recover, one of:",
    "  npm rebuild cria",
    "  npm install-scripts approve cria && npm rebuild cria   (npm 12 and later block install scripts)",
    "  npm explore cria -- npm run build:native   (builds from source: C++17 compiler, CMake, git)",
    ...otherwise,
  ];
}
