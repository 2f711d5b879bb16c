// Image files as pixels.

import { IMAGES } from "../constants";
import { context } from "./dom";

const MEGA = 1_000_000;
const MIB = 2 ** 20;

/** An image file as upright pixels, as they are in the file: no colour management, no scaling. */
export async function readImage(file: Blob): Promise<ImageData> {
  await check(file);
  const { width, height } = await sizeOf(file);
  if (width * height > IMAGES.MAX_PIXELS) {
    const most = Math.floor(IMAGES.MAX_PIXELS / MEGA);
    throw new Error(`more than ${most} megapixels; make it smaller (this limit guards memory)`);
  }
  if (Math.min(width, height) < IMAGES.MIN_SIDE_PX) {
    const least = IMAGES.MIN_SIDE_PX;
    throw new Error(`only ${width}x${height} pixels; at least ${least}x${least} are needed`);
  }
  try {
    return pixelsOf(await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" }));
  } catch {
    throw new Error("the image is damaged, or this browser has too little memory for it; save it again, smaller");
  }
}

/** Raises what is wrong with a file before it is decoded. */
async function check(file: Blob): Promise<void> {
  if (file.size === 0) throw new Error("the file is empty (0 bytes); copy or download it again");
  if (file.size > IMAGES.MAX_BYTES) {
    throw new Error(`has ${Math.floor(file.size / MIB)} MiB; at most ${IMAGES.MAX_BYTES / MIB} are read: make it smaller`);
  }
  const head = (await file.slice(0, 512).text()).trimStart().toLowerCase();
  if (head.startsWith("<svg") || head.startsWith("<?xml")) {
    throw new Error("holds XML or a vector drawing; save it as PNG or JPEG");
  }
  if (head.startsWith("<!doctype html") || head.startsWith("<html")) {
    throw new Error("holds a web page, not an image; download the image itself");
  }
  if (head.startsWith("%pdf")) throw new Error("is a PDF; export its images as PNG or JPEG");
}

/** Width and height without decoding all of it. */
async function sizeOf(file: Blob): Promise<{ width: number; height: number }> {
  const head = new DataView(await file.slice(0, 24).arrayBuffer());
  const isPng = head.byteLength === 24 && head.getUint32(0) === 0x89504e47;
  // Browsers refuse very large images without saying why.
  if (isPng && head.getUint32(16) * head.getUint32(20) > IMAGES.MAX_PIXELS) {
    return { width: head.getUint32(16), height: head.getUint32(20) };
  }
  const address = URL.createObjectURL(file);
  const image = new Image();
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = address;
    });
    return { width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    throw new Error("is not an image that this browser reads, or too large for it; convert it to PNG or JPEG");
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** What is shown, in its own size. */
export function pixelsOf(source: ImageBitmap | HTMLVideoElement): ImageData {
  const video = source instanceof HTMLVideoElement;
  const [width, height] = video ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const drawing = context(canvas);
  drawing.drawImage(source, 0, 0);
  if (!video) source.close();
  return drawing.getImageData(0, 0, width, height);
}
