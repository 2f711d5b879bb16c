// The page: what was given, what is shown, and what the buttons do.

import type { Explanation } from "../explanation/overlay";
import type { Face } from "../results";
import { Backend, type Mode, TokenNeeded } from "./backend";
import { announce, byId } from "./dom";
import { Camera, readImage, VideoFile } from "./files";
import { countOf, Item } from "./items";
import { showPanel } from "./panel";
import { covered, show, thumbnail } from "./stage";
import { showStrip } from "./strip";
import { downloadTable, showTable } from "./tableview";
import { showTimeline } from "./timeline";

const FRAMES_PER_S = 10; // of a video are examined
const TABLE_EVERY_MS = 1000; // while frames come

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class App {
  readonly backend = new Backend((text, share) => this.#progress(text, share));
  readonly items: Item[] = [];
  #current: Item | null = null;
  #image: ImageData | null = null; // that is shown
  #faces: readonly Face[] = [];
  #moment = 0;
  #chosen = 0;
  #track = 0;
  #explained: string | null = null;
  #explaining = false;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  #waiting = 0;
  #shownOfBatch = false;
  #tableShown = 0;

  async start(): Promise<void> {
    await this.backend.find();
    await this.setMode(this.backend.mode);
    // A server that wants a token is not forced on who has none.
    if (!byId("token-form").hidden && !this.backend.remembered) await this.setMode("browser");
  }

  /** Where faces are recognised from now on. `token`: of the server. */
  async setMode(mode: Mode, token?: string): Promise<void> {
    byId("modes").hidden = !this.backend.hasServer; // else there is nothing to choose
    for (const input of document.querySelectorAll<HTMLInputElement>("input[name=mode]")) input.checked = input.value === mode;
    byId("token-form").hidden = true;
    this.#describeMode(mode);
    try {
      await this.backend.choose(mode, token);
      this.#problem(null);
    } catch (error) {
      byId("token-form").hidden = !(error instanceof TokenNeeded);
      this.#problem(error instanceof TokenNeeded && !token ? "This server wants a token." : messageOf(error));
    }
    this.#progress(null);
    this.#describeMode(this.backend.mode);
  }

  #describeMode(mode: Mode): void {
    const { loaded, models } = this.backend;
    const line = byId("mode-line");
    const strong = document.createElement("strong");
    strong.textContent = mode === "browser" ? "In the browser: no image leaves this device." : "Server: images are sent to this server.";
    let rest = mode === "browser" ? "" : ` ${location.host} predicts them and stores none.`;
    if (mode === "server" && models) rest += ` Weights: ${models.default}, mien ${models.version}.`;
    if (mode === "browser" && loaded) {
      const gpu = Object.values(loaded.devices).some((device) => device.startsWith("WebGPU"));
      const threads = `WebAssembly, ${loaded.threads} thread${loaded.threads === 1 ? "" : "s"}`;
      rest = ` Networks loaded: ${gpu ? `WebGPU and ${threads}` : threads}.`;
    }
    line.replaceChildren(strong, rest);
    document.documentElement.dataset.mode = mode;
  }

  /** Images and videos, in their order. */
  add(files: readonly (Blob & { name?: string })[]): void {
    const added = files.map((file, i) => {
      const video = file.type.startsWith("video/");
      return new Item(video ? "video" : "image", file.name || `pasted ${this.items.length + i + 1}`, file);
    });
    if (!added.length) return this.#problem("There is no image or video in what was dropped or pasted.");
    this.#enter(added);
    this.#waiting += added.length;
    for (const item of added) {
      this.#running = this.#running.then(() => this.#carryOut(item)).finally(() => {
        this.#waiting -= 1;
        if (!this.#waiting) this.#progress(null);
      });
    }
  }

  #enter(added: readonly Item[]): void {
    this.#problem(null);
    this.#shownOfBatch = false;
    document.body.classList.add("filled");
    byId("work").hidden = false;
    this.items.push(...added);
    this.#refreshLists();
  }

  async #carryOut(item: Item): Promise<void> {
    this.#progress(`Recognising ${item.name}`, null);
    item.mode = this.backend.mode;
    try {
      if (item.kind === "video") await this.#video(item);
      else await this.#imageFile(item);
      item.done = true;
    } catch (error) {
      item.error = messageOf(error);
      await this.#showFirst(item);
    }
    announce(`${item.name}: ${item.summary}`);
    this.#refreshLists();
  }

  async #imageFile(item: Item): Promise<void> {
    const image = await readImage(item.file!);
    item.faces = await this.backend.predict(image, item.file!);
    item.done = true;
    this.#makeThumbnail(item, image, item.faces);
    await this.#showFirst(item, image);
  }

  /** Of what was given together, the first is shown. */
  async #showFirst(item: Item, image?: ImageData): Promise<void> {
    if (this.#shownOfBatch && this.#current !== item) return;
    this.#shownOfBatch = true;
    await this.select(item, image);
  }

  async #video(item: Item): Promise<void> {
    const video = await VideoFile.open(item.file!);
    item.video = video;
    await this.backend.networks.startVideo();
    await this.#begin(item);
    const count = Math.max(1, Math.ceil(video.durationS * FRAMES_PER_S - 1e-6));
    for (let i = 0; i < count && !this.#stopped; i++) {
      const timeS = Math.min(i / FRAMES_PER_S, video.durationS);
      const image = await video.at(timeS);
      const faces = await this.backend.frame(image, timeS);
      this.#frame(item, item.add(timeS, faces).faces, image);
      this.#progress(`Recognising ${item.name}: ${i + 1} of ${count} frames`, (i + 1) / count);
    }
    this.#end(item);
  }

  /** The camera's newest frame, again and again, until it is stopped. */
  camera(): void {
    if (this.#current?.kind === "camera" && !this.#current.done) return;
    const item = new Item("camera", `camera ${this.items.filter((one) => one.kind === "camera").length + 1}`, null);
    this.#running = this.#running.then(async () => {
      let camera: Camera | null = null;
      try {
        camera = await Camera.open();
        this.#enter([item]);
        item.mode = this.backend.mode;
        await this.backend.networks.startVideo();
        await this.#begin(item);
        const start = performance.now();
        while (!this.#stopped && camera.live) {
          if (document.hidden) await wait(200);
          const timeS = (performance.now() - start) / 1000;
          const image = camera.newest();
          const { faces } = item.add(timeS, await this.backend.frame(image, timeS));
          this.#frame(item, faces, image);
        }
        if (!this.#stopped) item.error = "the camera was unplugged or taken by another program";
      } catch (error) {
        this.#problem(messageOf(error));
        if (this.items.includes(item)) item.error = messageOf(error);
      } finally {
        camera?.close();
        item.done = true;
        this.#end(item);
        this.#refreshLists();
      }
    });
  }

  async #begin(item: Item): Promise<void> {
    [this.#stopped, this.#shownOfBatch] = [false, true];
    byId("stop").hidden = false;
    byId("stop").textContent = item.kind === "camera" ? "Stop the camera" : "Stop";
    this.#current = item;
    [this.#chosen, this.#track, this.#moment, this.#explained] = [0, 0, 0, null];
    [this.#image, this.#faces] = [null, []];
    this.#refreshLists();
  }

  #end(item: Item): void {
    byId("stop").hidden = true;
    if (this.#current === item) this.draw();
  }

  /** One more frame with its faces. */
  #frame(item: Item, faces: readonly Face[], image: ImageData): void {
    if (!item.thumbnail) this.#makeThumbnail(item, image, faces);
    if (this.#current === item) {
      [this.#image, this.#faces, this.#moment] = [image, faces, item.moments.length - 1];
      this.draw();
    }
    if (performance.now() - this.#tableShown > TABLE_EVERY_MS) this.#refreshLists();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Show another image or video. `image`: its pixels, where they are at hand. */
  async select(item: Item, image?: ImageData): Promise<void> {
    this.#current = item;
    [this.#chosen, this.#moment, this.#explained] = [0, 0, null];
    this.#track = item.tracks[0] ?? 0;
    if (item.kind === "image") {
      [this.#image, this.#faces] = [null, item.faces];
      if (item.error === null) this.#image = image ?? (await readImage(item.file!));
    } else {
      await this.seek(0);
    }
    this.draw();
    this.#refreshLists();
  }

  /** Show the moment of a video with this number. */
  async seek(index: number): Promise<void> {
    const item = this.#current;
    const moment = item?.moments[index];
    if (!item || !moment) return;
    this.#explained = null;
    [this.#moment, this.#faces] = [index, moment.faces];
    this.#image = item.video ? await item.video.at(moment.timeS) : null;
    if (this.#current === item && this.#moment === index) this.draw();
  }

  /** Show the moments of a video one after the other, as fast as they were. */
  async play(): Promise<void> {
    const item = this.#current;
    if (!item?.video) return;
    for (let i = this.#moment + 1 < item.moments.length ? this.#moment : 0; i < item.moments.length; i++) {
      const began = performance.now();
      await this.seek(i);
      await wait(Math.max(0, 1000 / FRAMES_PER_S - (performance.now() - began)));
      if (this.#current !== item || this.#moment !== i) return;
    }
  }

  choose(face: number): void {
    this.#chosen = face;
    this.#explained = null;
    this.#track = this.#faces[face]?.track ?? this.#track;
    this.draw();
  }

  chooseTrack(track: number): void {
    this.#track = track;
    const face = this.#faces.findIndex((one) => one.track === track);
    if (face >= 0) this.#chosen = face;
    this.draw();
  }

  async explain(label: string): Promise<void> {
    const [item, image, chosen, moment] = [this.#current, this.#image, this.#chosen, this.#moment];
    const face = this.#faces[chosen];
    if (!item || !image || !face) return;
    if (item.mode !== this.backend.mode) {
      const other = item.mode === "server" ? "Server" : "In the browser";
      return this.#problem(`its faces were recognised by other networks; choose “${other}” to explain them`);
    }
    const file = item.kind === "image" ? item.file : null;
    const key = `${chosen} ${moment} ${label}`;
    try {
      this.#explaining = true;
      this.draw();
      if (!item.explanations.has(key)) item.explanations.set(key, await this.backend.explain(image, file, face, chosen, label));
      if (this.#current === item && this.#chosen === chosen && this.#moment === moment) {
        this.#explained = key;
        announce(`The explanation of ${label} lies over the face`);
      }
    } catch (error) {
      this.#problem(messageOf(error));
    } finally {
      this.#explaining = false;
      this.#progress(null);
      this.draw();
    }
  }

  /** Everything of the current item. */
  draw(): void {
    const item = this.#current;
    const { labels } = this.backend;
    const image = this.#image;
    const faces = this.#faces;
    byId("stage").hidden = image === null;
    byId("view-title").textContent = item?.name ?? "";
    const following = item?.kind !== "image" ? faces.findIndex((face) => face.track === this.#track) : -1;
    const chosen = following >= 0 ? following : Math.min(this.#chosen, Math.max(faces.length - 1, 0));
    this.#chosen = chosen;
    const explanation: Explanation | null = (this.#explained && item?.explanations.get(this.#explained)) || null;
    const [anonymise, landmarks] = [this.anonymise, byId<HTMLInputElement>("landmarks").checked];
    if (image) show({ image, faces, labels, chosen, anonymise, landmarks, explanation }, (face) => this.choose(face));
    byId("view-note").textContent = item ? this.#note(item) : "";
    byId("view-note").classList.toggle("bad", item !== null && item.error !== null);
    showPanel(
      {
        face: faces[chosen] ?? null,
        index: chosen,
        labels,
        nothing: nothingIn(item),
        explained: explanation?.label ?? null,
        explaining: this.#explaining,
        live: item?.done === false || image === null,
      },
      {
        explain: (label) => void this.explain(label),
        hideExplanation: () => {
          this.#explained = null;
          this.draw();
        },
      },
    );
    this.#drawTimeline(item);
  }

  get anonymise(): boolean {
    return byId<HTMLInputElement>("anonymise").checked;
  }

  #note(item: Item): string {
    if (item.error !== null) return `${item.name}: ${item.error}`;
    const parts = [item.kind === "image" ? countOf(this.#faces.length) : item.summary];
    if (this.anonymise) parts.push("detected faces are covered; others are not");
    if (item.kind === "camera" && item.done) parts.push("its frames are not kept, only the table");
    return parts.join(" · ");
  }

  #drawTimeline(item: Item | null): void {
    const temporal = item !== null && item.kind !== "image" && item.moments.length > 0;
    byId("time").hidden = !temporal;
    if (!temporal) return;
    byId("play").hidden = !item.video || !item.done;
    showTimeline({
      moments: item.moments,
      labels: this.backend.labels,
      tracks: item.tracks,
      track: this.#track,
      at: this.#moment,
      durationS: item.video?.durationS ?? item.moments.at(-1)!.timeS,
      live: item.kind === "camera",
    });
  }

  #makeThumbnail(item: Item, image: ImageData, faces: readonly Face[]): void {
    item.thumbnail = { plain: thumbnail(image), anonymised: thumbnail(covered(image, faces)) };
  }

  #refreshLists(): void {
    this.#tableShown = performance.now();
    showStrip(this.items, this.#current, this.anonymise, (item) => void this.select(item));
    showTable(this.items, this.backend.labels);
  }

  /** After the anonymise or landmarks switch. */
  switched(): void {
    this.draw();
    this.#refreshLists();
  }

  download(kind: string): void {
    downloadTable(kind, this.items, this.backend.labels).catch((error: unknown) => this.#problem(messageOf(error)));
  }

  /** What is going on; null: nothing. `share`: how much of it is done, null where that is not known. */
  #progress(text: string | null, share: number | null = null): void {
    byId("progress").hidden = text === null;
    if (text === null) return;
    byId("progress-text").textContent = text;
    const bar = byId<HTMLProgressElement>("progress-bar");
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  }

  #problem(text: string | null): void {
    byId("problem").hidden = text === null;
    byId("problem").textContent = text === null ? "" : capitalised(text);
  }
}

/** What to say where there is no face. */
function nothingIn(item: Item | null): string {
  if (item?.error && !item.moments.length) return "There is nothing to recognise faces in.";
  if (item?.done && item.kind === "image") return "No face was detected.";
  return item?.moments.length ? "No face in this frame." : "…";
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
