import { deflateSync } from "node:zlib";

/** A PNG of three bytes a pixel. */
export function png(
  width: number,
  height: number,
  pixel: (x: number, y: number) => readonly [number, number, number],
): Buffer {
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0, at = 0; y < height; y++) {
    rows[at++] = 0; // no filter
    for (let x = 0; x < width; x++) for (const value of pixel(x, y)) rows[at++] = value;
  }
  return pngOf(width, height, deflateSync(rows));
}

/** Whatever its data are. */
export function pngOf(width: number, height: number, data: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, RGB
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  const end = chunk("IEND", Buffer.alloc(0));
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), end]);
}

function chunk(kind: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  // stb reads no checksums.
  return Buffer.concat([length, Buffer.from(kind, "latin1"), data, Buffer.alloc(4)]);
}

/** Told from others at a glance, also after it was scaled. */
export function stripes(width: number, height: number, shade: number): Buffer {
  return png(width, height, (x, y) => [(x * 5 + shade) % 256, (y * 7) % 256, shade]);
}

/** A WAV of one channel of 16 bits. */
export function wav(seconds: number, hertz: number, rate = 16000): Buffer {
  const count = Math.round(seconds * rate);
  const data = Buffer.alloc(2 * count);
  for (let i = 0; i < count; i++) {
    data.writeInt16LE(Math.round(12000 * Math.sin((2 * Math.PI * hertz * i) / rate)), 2 * i);
  }
  return wavOf(data, data.length, rate);
}

/** With a length in the header that need not be the data's. */
export function wavOf(data: Buffer, said: number, rate = 16000): Buffer {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(Math.min(36 + said, 0xffffffff), 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(2 * rate, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(said, 40);
  return Buffer.concat([header, data]);
}
