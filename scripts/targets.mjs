// What this machine can build for others: `node scripts/build.mjs --target NAME`. The compilers are
// Debian's; cmake/toolchains/NAME.cmake tells CMake of them.

export const targets = {
  "linux-arm64": {
    // The name that node-gyp-build and @electron/rebuild look for on arm64.
    engine: "prebuilds/linux-arm64/node.napi.armv8.node",
    compiler: "aarch64-linux-gnu-g++",
    debianPackage: "g++-aarch64-linux-gnu",
  },
  "win32-x64": {
    engine: "prebuilds/win32-x64/node.napi.node",
    compiler: "x86_64-w64-mingw32-g++-posix",
    debianPackage: "g++-mingw-w64-x86-64-posix",
  },
};
