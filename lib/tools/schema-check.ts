import { invalid } from "../internal/errors.js";
import { SchemaChecker } from "../schema/check-value.js";
import { readSchema } from "../schema/read-schema.js";
import { SchemaProblem } from "../schema/schema-problem.js";

const checkers = new WeakMap<object, SchemaChecker>();

/**
 * What tells whether arguments fit a schema that stays as it is. One by which nothing can be checked is
 * refused: otherwise the first to learn of it would be the model, with every call that it makes.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, with the place
 */
export function schemaChecker(schema: object, name: string): SchemaChecker {
  let checker = checkers.get(schema);
  if (checker === undefined) {
    try {
      checker = new SchemaChecker(readSchema(schema, name));
    } catch (error) {
      if (!(error instanceof SchemaProblem)) throw error;
      const { path, message } = error;
      throw invalid(
        `\`${name}\` cannot be checked against: ${message}, at ${path}`,
        { name, path },
        error,
      );
    }
    checkers.set(schema, checker);
  }
  return checker;
}
