// A GGUF file taken apart and put together again, so that any piece of it can be made wrong.
const SIZE = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const TYPE = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 };
const ALIGNMENT = 32;

/** `pairs`: key, type and the value's bytes; `tensors`: name, shape, type and data. */
function readGguf(bytes) {
  let at = 8;
  const take = (count) => {
    at += count;
    return bytes.subarray(at - count, at);
  };
  const u32 = () => take(4).readUInt32LE();
  const u64 = () => Number(take(8).readBigUInt64LE());
  const text = () => take(u64()).toString("latin1");
  const skipValue = (type) => {
    if (type === TYPE.string) take(u64());
    else if (type !== TYPE.array) take(SIZE[type]);
    else {
      const [element, count] = [u32(), u64()];
      for (let i = 0; i < count; i++) skipValue(element);
    }
  };
  const tensorCount = u64();
  const pairCount = u64();
  const pairs = Array.from({ length: pairCount }, () => {
    const [key, type, from] = [text(), u32(), at];
    skipValue(type);
    return { key, type, value: bytes.subarray(from, at) };
  });
  const tensors = Array.from({ length: tensorCount }, () => {
    const name = text();
    const shape = Array.from({ length: u32() }, u64);
    return { name, shape, type: u32(), offset: u64() };
  });
  const data = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
  tensors.forEach((tensor, i) => {
    const end = tensors[i + 1] ? data + tensors[i + 1].offset : bytes.length;
    tensor.data = bytes.subarray(data + tensor.offset, end);
  });
  return { pairs, tensors };
}

/** Offsets are made anew, unless a tensor has one of its own as `at`. */
function writeGguf({ pairs, tensors }) {
  const head = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(pairs.length)];
  for (const { key, type, value } of pairs) head.push(text(key), u32(type), value);
  const data = [];
  let offset = 0;
  for (const tensor of tensors) {
    const { name, shape, type, at = offset } = tensor;
    head.push(text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(at));
    data.push(tensor.data, padding(tensor.data.length));
    offset += tensor.data.length + padding(tensor.data.length).length;
  }
  const header = Buffer.concat(head);
  return Buffer.concat([header, padding(header.length), ...data]);
}

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

function u64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
}

function f32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

/** Latin-1, so that any bytes can be said. */
function text(value) {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([u64(bytes.length), bytes]);
}

function list(type, values) {
  return Buffer.concat([u32(type), u64(values.length), ...values]);
}

function padding(length) {
  return Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
}

module.exports = { TYPE, readGguf, writeGguf, u32, u64, f32, text, list };
