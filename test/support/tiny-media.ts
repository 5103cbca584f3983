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

/** A WAV of one channel of 32-bit floats at 16 kHz. */
export function wavOfFloats(samples: Float32Array): Buffer {
  const data = Buffer.from(samples.buffer);
  const file = wavOf(data, data.length);
  file.writeUInt16LE(3, 20);
  file.writeUInt32LE(4 * 16000, 28);
  file.writeUInt16LE(4, 32);
  file.writeUInt16LE(32, 34);
  return file;
}

/** A JPEG of 33 × 25 pixels, baseline, with half the colours. */
export const JPEG = Buffer.from(
  [
    "/9j/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/",
    "2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAAR",
    "CAAZACEDASIAAhEBAxEB/8QAGAABAQEBAQAAAAAAAAAAAAAAAwQAAgX/xAAfEAACAgICAwEAAAAAAAAAAAAAAQIDIWERFAQy",
    "cRL/xAAYAQADAQEAAAAAAAAAAAAAAAABAgQDBv/EACERAAICAAUFAAAAAAAAAAAAAAABAgMREhOh4SExUmGC/9oADAMBAAIR",
    "AxEAPwDwYVDRp0UQqKIU6BBZha7SWFGhoePopVajjjliRrk9fBpKuLw7svrtZL19GLevowvxvwUavsCuooVf5S4WWaoZ+y+G",
    "UJuNeKOYrk8TmugWNbeIrB2vRi1AfRqCL65sHr6MIYh14eO/BVmZ/9k=",
  ].join(""),
  "base64",
);

/** A GIF of as many pictures of 20 × 12 pixels, each of one colour. */
export function gif(pictures: number): Buffer {
  const head = Buffer.from("GIF89a\x14\0\x0c\0\x80\0\0\0\0\0\xff\xff\xff", "latin1");
  const frame = Buffer.from("\x2c\0\0\0\0\x14\0\x0c\0\0\x02", "latin1");
  // Codes of three bits: a clear code before each two pixels, so that they grow no longer.
  const codes = Array.from({ length: 120 }, () => [4, 1, 0]).flat();
  const bits = [...codes, 5].map((code, i) => BigInt(code) << BigInt(3 * i));
  const value = bits.reduce((sum, bit) => sum | bit, 0n);
  const data = Buffer.alloc(Math.ceil(((codes.length + 1) * 3) / 8));
  for (let i = 0; i < data.length; i++) data[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  const one = Buffer.concat([frame, Buffer.of(data.length), data, Buffer.of(0)]);
  return Buffer.concat([head, ...Array.from({ length: pictures }, () => one), Buffer.of(0x3b)]);
}

/** An MP3 of silence: so many frames of 26 ms. */
export function mp3(frames: number): Buffer {
  const frame = Buffer.alloc(417);
  frame.set([0xff, 0xfb, 0x90, 0x00]); // MPEG 1, layer 3, 128 kbit/s, 44.1 kHz, two channels
  return Buffer.concat(Array.from({ length: frames }, () => frame));
}

/** A FLAC of one channel of 16 bits at 16 kHz: blocks of 4,096 samples, as they are, that fall from frame to frame. */
export function flac(frames: number): Buffer {
  const block = 4096;
  const about = Buffer.alloc(34);
  about.writeUInt16BE(block, 0);
  about.writeUInt16BE(block, 2);
  // 20 bits of rate, 3 of channels - 1, 5 of bits - 1, 36 of samples.
  about.writeBigUInt64BE((16000n << 44n) | (15n << 36n) | BigInt(frames * block), 10);
  const parts: Buffer[] = [Buffer.from("fLaC\x80\0\0\x22", "latin1"), about];
  for (let i = 0; i < frames; i++) {
    // Fixed blocks of 4,096, 16 kHz; one channel, 16 bits; the frame's number; no prediction.
    const head = Buffer.of(0xff, 0xf8, 0xc5, 0x08, i);
    const samples = Buffer.alloc(1 + 2 * block);
    samples[0] = 0x02;
    for (let k = 0; k < block; k++) samples.writeInt16BE(((k * 37) % 9000) - 500 * i, 1 + 2 * k);
    const body = Buffer.concat([head, Buffer.of(crc(head, 8, 0x07)), samples]);
    const check = Buffer.alloc(2);
    check.writeUInt16BE(crc(body, 16, 0x8005));
    parts.push(body, check);
  }
  return Buffer.concat(parts);
}

function crc(bytes: Uint8Array, bits: number, polynomial: number): number {
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << (bits - 8);
    for (let i = 0; i < 8; i++) value = (value << 1) ^ (((value >> (bits - 1)) & 1) * polynomial);
    value &= (1 << bits) - 1;
  }
  return value;
}

/** A BMP of 24 bits; one whose height is negative begins with its upper row. */
export function bmp(width: number, height: number): Buffer {
  const row = ((3 * width + 3) >> 2) << 2;
  const header = Buffer.alloc(54);
  header.write("BM", 0, "latin1");
  header.writeUInt32LE(54, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(24, 28);
  const pixels = Uint8Array.from({ length: row * Math.abs(height) }, (_, i) => (i * 11) % 256);
  return Buffer.concat([header, pixels]);
}
