// npm run pack:forge

const path = require("node:path");

/** What cria needs only to be built. */
const BUILD_ONLY =
  /^\/node_modules\/(cria\/(native|cmake|scripts|packages|llama\.cpp\.tar\.gz|CMakeLists\.txt|binding\.gyp)|node-addon-api|node-api-headers)($|\/)/;

module.exports = {
  packagerConfig: {
    name: "Cria",
    // No library can be loaded from an archive: the engine lies beside it, in app.asar.unpacked. The plugin
    // below says the same; this holds without it, too.
    asar: { unpack: "**/*.node" },
    // The engine maps the model into memory: it has to be a real file. It comes into the resources' folder.
    extraResource: [path.join(__dirname, "..", "..", "models")],
    ignore: [/^\/(out|release|serve-page\.mjs|[a-z-]+\.config\.cjs)($|\/)/, BUILD_ONLY],
  },
  // The engine is Node-API and comes built: `onlyModules: []` keeps Forge from looking.
  rebuildConfig: { onlyModules: [] },
  plugins: [{ name: "@electron-forge/plugin-auto-unpack-natives", config: {} }],
};
