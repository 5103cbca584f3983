/** @type {import("next").NextConfig} */
export default {
  // cria finds its native engine from its own place, so it stays out of the bundle.
  serverExternalPackages: ["cria"],
};
