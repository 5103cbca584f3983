/** Why no grammar is made of a schema, and where. */
export class SchemaProblem extends Error {
  /** A JSON pointer, with its "#". */
  readonly path: string;

  constructor(path: string, reason: string) {
    super(reason);
    this.path = path;
  }
}
