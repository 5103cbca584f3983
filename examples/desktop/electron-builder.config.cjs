// npm run pack:builder

/** @type {import("electron-builder").Configuration} */
module.exports = {
  appId: "org.example.cria.desktop",
  productName: "Cria",
  directories: { output: "release" },
  asar: true,
  // No library can be loaded from an archive: the engine lies beside it, in app.asar.unpacked.
  asarUnpack: ["**/*.node"],
  files: [
    "*.cjs",
    "!*.config.cjs",
    "page/**",
    "package.json",
    // What cria needs only to be built.
    "!node_modules/cria/{native,cmake,scripts,packages}",
    "!node_modules/cria/{llama.cpp.tar.xz,CMakeLists.txt,binding.gyp}",
    "!node_modules/{node-addon-api,node-api-headers}",
  ],
  // The engine maps the model into memory: it has to be a real file.
  extraResources: [{ from: "../../models/cria-demo.gguf", to: "models/cria-demo.gguf" }],
  // The engine is Node-API and comes built: it needs no rebuild for Electron.
  npmRebuild: false,
  linux: { target: "AppImage", category: "Utility" },
  mac: { target: "dmg", category: "public.app-category.utilities" },
  win: { target: "nsis" },
};
