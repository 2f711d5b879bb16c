import { BrowserNetworks } from "./backends/browser";
const n = new BrowserNetworks();
Object.assign(window, { n, predictUrl: async (u: string) => {
  const b = await createImageBitmap(await (await fetch(u)).blob(), { colorSpaceConversion: "none" });
  const c = new OffscreenCanvas(b.width, b.height).getContext("2d", { willReadFrequently: true })!; c.drawImage(b, 0, 0);
  const l = await n.load(() => {}); const im = c.getImageData(0, 0, b.width, b.height);
  const t = performance.now(); const f = await n.predict(im); const t1 = performance.now(); await n.predict(im);
  return { l, f, ms: [t1 - t, performance.now() - t1] };
}});
