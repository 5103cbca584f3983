const TAILS = [
  ...[
    "",
    '"',
    '":0',
    ":0",
    "0",
    '""',
    '"":0',
    "ull",
    "ll",
    "l",
    "rue",
    "ue",
    "e",
    "alse",
    "lse",
    "se",
  ],
  ...["n", "0000", "000", "00", "0"].flatMap((escaped) => [`${escaped}"`, `${escaped}":0`]),
];

/** Whether something can follow `text` that makes it JSON. */
export function isJsonPrefix(text: string): boolean {
  const closers: string[] = [];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*(?:"|\\?$)|[[\]{}]/gs)) {
    if (token === "[" || token === "{") closers.unshift(token === "[" ? "]" : "}");
    else if (token === "]" || token === "}") closers.shift();
  }
  return TAILS.some((tail) => {
    try {
      JSON.parse(text + tail + closers.join(""));
      return true;
    } catch {
      return false;
    }
  });
}
