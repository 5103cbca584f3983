// Messages as lines of text, where there is no structured clone: JSON with tags for what it lacks.

/** One line. */
export function encode(message) {
  return JSON.stringify(message, function (_, value) {
    if (value === undefined && Array.isArray(this)) return { $undefined: true };
    if (value instanceof Map) return { $map: [...value] };
    if (value instanceof Int32Array) return { $ints: [...value] };
    if (value instanceof Float32Array) return { $floats: [...value] };
    if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
    return value;
  });
}

export function decode(line) {
  return JSON.parse(line, (_, value) => {
    if (value?.$undefined) return undefined;
    if (value?.$map) return new Map(value.$map);
    if (value?.$ints) return Int32Array.from(value.$ints);
    if (value?.$floats) return Float32Array.from(value.$floats);
    if (value?.$number) return Number(value.$number);
    return value;
  });
}
