// Smaller copies of images without aliasing: src/mien/faces/shrinking.py.

import { reduce, resize, type Rgb } from "../maths/image";

/** The means of an image's blocks of `factor` pixels a side; the last ones may be cut off. */
export const shrink = (image: Rgb, factor: number): Rgb => reduce(image, factor, factor);

/** An image at another size: averaged in blocks, then interpolated for what is left. */
export function resized(image: Rgb, width: number, height: number): Rgb {
  const factor = Math.min(Math.floor(image.width / width), Math.floor(image.height / height));
  const end = factor > 1 ? ([image.width / factor, image.height / factor] as const) : undefined;
  const shrunk = factor > 1 ? shrink(image, factor) : image;
  return shrunk.width === width && shrunk.height === height ? shrunk : resize(shrunk, width, height, undefined, end);
}

/** Pillow's `Image.resize((width, height), BILINEAR, reducing_gap=1)`: each side averaged by a factor of its own. */
export function reducedAndResized(image: Rgb, width: number, height: number): Rgb {
  const [acrossX, acrossY] = [Math.floor(image.width / width) || 1, Math.floor(image.height / height) || 1];
  const end = [image.width / acrossX, image.height / acrossY] as const;
  return resize(reduce(image, acrossX, acrossY), width, height, undefined, end);
}
