// ajv, which says independently of lib/schema whether a value is valid, formats included.

import { createRequire } from "node:module";
import { Ajv } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import AjvDraft4 from "ajv-draft-04";
import addFormats from "ajv-formats";

const draft6 = createRequire(import.meta.url)("ajv/dist/refs/json-schema-draft-06.json");

/** As ECMAScript's JSON Schema has it: with the flag u where it can be. */
function regExp(source) {
  try {
    return new RegExp(source, "u");
  } catch {
    return new RegExp(source);
  }
}
regExp.code = "new RegExp";

const OPTIONS = {
  strict: false,
  logger: false,
  ownProperties: true,
  validateFormats: true,
  code: { regExp },
};
const NEWER = /"(?:prefixItems|dependentRequired|dependentSchemas|unevaluated\w+|minContains)":/;

/** A function from values to "" or what is wrong; undefined where ajv does not take the schema. */
export function judgeOf(schema) {
  for (const Draft of draftsOf(schema)) {
    const ajv = new Draft(OPTIONS);
    if (Draft === Ajv) ajv.addMetaSchema(draft6);
    addFormats.default(ajv);
    try {
      const valid = ajv.compile(schema);
      return (value) => (valid(value) ? "" : ajv.errorsText(valid.errors));
    } catch {
      // Another draft may take it.
    }
  }
  return undefined;
}

/** The draft that the schema names comes first; where it names none, the one that its keywords are from. */
function draftsOf(schema) {
  const { $schema = "" } = schema;
  if (String($schema).includes("draft-04")) return [AjvDraft4.default];
  if (String($schema).includes("2019-09")) return [Ajv2019];
  if (String($schema).includes("2020-12")) return [Ajv2020];
  if ($schema !== "") return [Ajv];
  return NEWER.test(JSON.stringify(schema)) ? [Ajv2020, Ajv] : [Ajv, AjvDraft4.default, Ajv2020];
}
