/** Models look at less than this, and a request has its limit. */
const SIDE_MAX = 1568;
/** Characters of a data URL; a larger PNG becomes a JPEG. */
const PNG_MAX = 2_000_000;

/** Pictures among what was dropped, pasted or picked. */
export function pictureFiles(files: Iterable<File>): File[] {
  return [...files].filter(({ type }) => /^image\/(png|jpeg|gif|webp|bmp|avif)$/.test(type));
}

/**
 * A picture as a data URL of a PNG or a JPEG, whatever it was before: drawn anew, without what cameras write beside it,
 * such as the place.
 *
 * @throws where the browser cannot read it
 */
export async function pictureUrl(file: File): Promise<string> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, SIDE_MAX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser cannot draw");
  const draw = () => context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  draw();
  if (file.type !== "image/jpeg") {
    const png = canvas.toDataURL("image/png");
    if (png.length <= PNG_MAX) return png;
  }
  // A JPEG knows nothing transparent, which would become black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  draw();
  return canvas.toDataURL("image/jpeg", 0.9);
}
