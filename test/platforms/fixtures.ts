// What features.mjs needs of the tests' own writers and servers. stage.mjs makes one file of it that every runtime
// reads.

export { writeLora } from "../support/adapters.js";
export { HubServer, REPOSITORY } from "../support/hub-server.js";
export { writeRandomModel } from "../support/random-model.js";
export { stripes, wav } from "../support/tiny-media.js";
export { writeLlava, writeUltravox } from "../support/tiny-projectors.js";
