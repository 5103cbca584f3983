/** `Symbol.asyncDispose`, or what stands in for it before Node 20.5, which lacks the symbol. */
export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
