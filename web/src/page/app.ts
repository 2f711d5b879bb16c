// The page: what was given, what is shown, and what the buttons do.

import type { Explanation } from "../explanation/overlay";
import type { Face } from "../results";
import { Backend, type Mode, TokenNeeded } from "./backend";
import { announce, byId, isolated } from "./dom";
import { Camera } from "./camera";
import { readImage } from "./files";
import { Item, noteOn, nothingIn } from "./items";
import { describeMode } from "./modeline";
import { showPanel } from "./panel";
import { covered, show, thumbnail } from "./stage";
import { messageOf, showProblem, showProgress } from "./status";
import { showRetry } from "./retry";
import { showStrip } from "./strip";
import { downloadTable, showTable } from "./tableview";
import { showTimeline } from "./timeline";
import { VideoFile } from "./video";
import { Queue, wait } from "./waiting";

const FRAMES_PER_S = 10; // of a video are examined
const TABLE_EVERY_MS = 1000; // while frames come
const OTHER_MODE = "where faces are recognised was changed; its rows end before";

export class App {
  readonly backend = new Backend(showProgress);
  readonly items: Item[] = [];
  #current: Item | null = null;
  #image: ImageData | null = null; // that is shown
  #faces: readonly Face[] = [];
  #moment = 0; // of a video, that is shown
  #wanted = 0; // and that will be, once it is read
  #following = false; // the newest frame is shown
  #chosen = 0;
  #track = 0;
  #explained: string | null = null;
  #explaining = false;
  #stopped = false;
  readonly #work = new Queue();
  #waiting = 0;
  #cameraOn = false;
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
    describeMode(mode, this.backend);
    try {
      await this.backend.choose(mode, token);
      showProblem(null);
    } catch (error) {
      byId("token-form").hidden = !(error instanceof TokenNeeded);
      showProblem(error instanceof TokenNeeded && !token ? "This server wants a token." : messageOf(error));
    }
    showProgress(null);
    describeMode(this.backend.mode, this.backend);
  }

  /** Where a server wants one, also once it was revoked. */
  #offerToken(error: unknown): void {
    if (error instanceof TokenNeeded) byId("token-form").hidden = false;
  }

  /** Images and videos, in their order. */
  add(files: readonly (Blob & { name?: string })[]): void {
    const added = files.map((file, i) => {
      const video = file.type.startsWith("video/");
      return new Item(video ? "video" : "image", file.name || `pasted ${this.items.length + i + 1}`, file);
    });
    if (!added.length) return showProblem("There is no image or video in what was dropped or pasted.");
    this.#enter(added);
    for (const item of added) this.#enqueue(() => this.#carryOut(item));
  }

  /** Recognise once more what failed, where faces are recognised now. */
  retry(items: readonly Item[]): void {
    const failed = items.filter((item) => item.failed);
    if (!failed.length) return;
    showProblem(null);
    this.#shownOfBatch = true; // what is shown stays
    for (const item of failed) {
      item.reset();
      this.#enqueue(() => this.#carryOut(item));
    }
    announce(failed.length === 1 ? `Trying ${isolated(failed[0]!.name)} again` : `Trying ${failed.length} files again`);
    if (this.#current && failed.includes(this.#current)) this.select(this.#current);
    else this.#refreshLists();
  }

  /** What is shown, where it failed. */
  retryCurrent(): void {
    if (this.#current) this.retry([this.#current]);
  }

  #enqueue(work: () => Promise<void>): void {
    this.#waiting += 1;
    const done = this.#work.add(work).finally(() => {
      this.#waiting -= 1;
      if (!this.#waiting) showProgress(null);
    });
    this.attempt(done);
  }

  /** What goes wrong in it is said on the page. */
  attempt(work: Promise<void>): void {
    work.catch((error: unknown) => showProblem(messageOf(error)));
  }

  #enter(added: readonly Item[]): void {
    showProblem(null);
    this.#shownOfBatch = false;
    document.body.classList.add("filled");
    byId("work").hidden = false;
    this.items.push(...added);
    this.#refreshLists();
  }

  async #carryOut(item: Item): Promise<void> {
    showProgress(`Recognising ${isolated(item.name)}`, null);
    item.mode = this.backend.mode;
    try {
      if (item.kind === "video") await this.#video(item);
      else await this.#imageFile(item);
    } catch (error) {
      this.#offerToken(error);
      item.error = messageOf(error);
      item.done = true;
      await this.#showFirst(item);
    }
    announce(`${isolated(item.name)}: ${item.summary}`);
    this.#refreshLists();
  }

  async #imageFile(item: Item): Promise<void> {
    const image = await readImage(item.file!);
    item.readable = true;
    item.faces = await this.backend.predict(image, item.file!);
    item.done = true;
    this.#makeThumbnail(item, image, item.faces);
    await this.#showFirst(item, image);
  }

  /** Of what was given together, the first is shown. */
  async #showFirst(item: Item, image?: ImageData): Promise<void> {
    const first = !this.#shownOfBatch;
    this.#shownOfBatch = true;
    if (first || this.#current === item) await this.#show(item, image);
  }

  async #video(item: Item): Promise<void> {
    const video = item.video ?? (await VideoFile.open(item.file!));
    [item.video, item.readable] = [video, true];
    await this.backend.networks.startVideo();
    this.#begin(item);
    try {
      const count = Math.max(1, Math.ceil(video.durationS * FRAMES_PER_S - 1e-6));
      for (let i = 0; i < count && !this.#stopped; i++) {
        const timeS = Math.min(i / FRAMES_PER_S, video.durationS);
        await this.#recognise(item, await video.at(timeS), timeS);
        showProgress(`Recognising ${isolated(item.name)}: ${i + 1} of ${count} frames`, (i + 1) / count);
      }
    } finally {
      this.#end(item);
    }
  }

  /** The camera's newest frame, again and again, until it is stopped. */
  camera(): void {
    if (this.#cameraOn) return;
    this.#cameraOn = true;
    const opened = Camera.open().then(
      (camera) => {
        const item = new Item("camera", `camera ${this.items.filter((one) => one.kind === "camera").length + 1}`, null);
        this.#enter([item]);
        this.#enqueue(() => this.#watch(item, camera));
      },
      (error: unknown) => {
        this.#cameraOn = false;
        throw error;
      },
    );
    this.attempt(opened);
  }

  async #watch(item: Item, camera: Camera): Promise<void> {
    try {
      item.mode = this.backend.mode;
      await this.backend.networks.startVideo();
      this.#begin(item);
      const start = performance.now();
      while (!this.#stopped && camera.live) {
        showProgress(this.#waiting > 1 ? "Other files wait until the camera is stopped" : null);
        if (document.hidden) await wait(200);
        await this.#recognise(item, await camera.newest(), (performance.now() - start) / 1000);
      }
      if (!this.#stopped) item.error = "the camera was unplugged or taken by another program";
    } catch (error) {
      this.#offerToken(error);
      item.error = messageOf(error);
      showProblem(item.error);
    } finally {
      camera.close();
      this.#cameraOn = false;
      this.#end(item);
      this.#refreshLists();
    }
  }

  /** One more frame of a video or the camera; it is shown unless the user looks at an earlier one. */
  async #recognise(item: Item, image: ImageData, timeS: number): Promise<void> {
    if (this.backend.mode !== item.mode) throw new Error(OTHER_MODE);
    const { faces } = item.add(timeS, await this.backend.frame(image, timeS));
    if (!item.thumbnail) this.#makeThumbnail(item, image, faces);
    if (this.#current === item && this.#following) {
      const newest = item.moments.length - 1;
      [this.#image, this.#faces, this.#moment, this.#wanted] = [image, faces, newest, newest];
      this.draw();
    } else if (this.#current === item) {
      byId("view-note").textContent = noteOn(item, this.anonymise);
      this.#drawTimeline(item);
    }
    if (performance.now() - this.#tableShown > TABLE_EVERY_MS) this.#refreshLists();
  }

  #begin(item: Item): void {
    [this.#stopped, this.#shownOfBatch, this.#following] = [false, true, true];
    byId("stop").hidden = false;
    byId("stop").textContent = item.kind === "camera" ? "Stop the camera" : "Stop";
    this.#current = item;
    [this.#chosen, this.#track, this.#moment, this.#wanted, this.#explained] = [0, 0, 0, 0, null];
    [this.#image, this.#faces] = [null, []];
    this.#refreshLists();
  }

  #end(item: Item): void {
    item.done = true;
    byId("stop").hidden = true;
    if (this.#current === item) this.draw();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Show another image or video. */
  select(item: Item): void {
    this.attempt(this.#show(item));
  }

  /** Show the moment of a video with this number. */
  seek(index: number): void {
    this.attempt(this.#seek(index));
  }

  /** Show the moments of a video one after the other, as fast as they were. */
  play(): void {
    this.attempt(this.#play());
  }

  /** `image`: the item's pixels, where they are at hand. */
  async #show(item: Item, image?: ImageData): Promise<void> {
    this.#current = item;
    [this.#chosen, this.#moment, this.#wanted, this.#explained] = [0, 0, 0, null];
    [this.#image, this.#faces, this.#following] = [null, [], !item.done];
    this.#track = item.tracks[0] ?? 0;
    this.#refreshLists();
    this.draw();
    if (item.kind !== "image") return this.#seek(item.done ? 0 : item.moments.length - 1);
    if (!item.done || item.error !== null) return;
    const pixels = image ?? (await readImage(item.file!));
    if (this.#current !== item) return;
    [this.#image, this.#faces] = [pixels, item.faces];
    this.draw();
  }

  async #seek(index: number): Promise<void> {
    const item = this.#current;
    const moment = item?.moments[index];
    if (!item || !moment) return;
    this.#wanted = index;
    this.#following = !item.done && index === item.moments.length - 1;
    const wanted = () => this.#current === item && this.#wanted === index;
    const image = item.video ? await item.video.atIf(wanted, moment.timeS) : null;
    if (!wanted()) return;
    [this.#image, this.#faces, this.#moment, this.#explained] = [image, item.moments[index]!.faces, index, null];
    this.draw();
  }

  async #play(): Promise<void> {
    const item = this.#current;
    if (!item?.video) return;
    for (let i = this.#wanted + 1 < item.moments.length ? this.#wanted : 0; i < item.moments.length; i++) {
      const began = performance.now();
      await this.#seek(i);
      await wait(Math.max(0, 1000 / FRAMES_PER_S - (performance.now() - began)));
      if (this.#current !== item || this.#wanted !== i) return;
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
      return showProblem(`its faces were recognised by other networks; choose “${other}” to explain them`);
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
      this.#offerToken(error);
      showProblem(messageOf(error));
    } finally {
      this.#explaining = false;
      if (!this.#waiting) showProgress(null);
      this.draw();
    }
  }

  /** Everything of the current item. */
  draw(): void {
    const [item, image, faces, labels] = [this.#current, this.#image, this.#faces, this.#labels];
    byId("stage").hidden = image === null;
    byId("view-title").textContent = item?.name ?? "";
    const following = item?.kind !== "image" ? faces.findIndex((face) => face.track === this.#track) : -1;
    const chosen = following >= 0 ? following : Math.min(this.#chosen, Math.max(faces.length - 1, 0));
    this.#chosen = chosen;
    const explanation: Explanation | null = (this.#explained && item?.explanations.get(this.#explained)) || null;
    const [anonymise, landmarks] = [this.anonymise, byId<HTMLInputElement>("landmarks").checked];
    if (image) show({ image, faces, labels, chosen, anonymise, landmarks, explanation }, (face) => this.choose(face));
    byId("view-note").textContent = item ? noteOn(item, this.anonymise) : "";
    byId("view-note").classList.toggle("bad", item !== null && item.error !== null);
    showRetry(this.items, item);
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

  /** Classes of all that is in the table: the server's weights may have others than the browser's. */
  get #labels(): string[] {
    return [...new Set([...this.backend.labels, ...this.items.flatMap((item) => item.labels)])];
  }

  get anonymise(): boolean {
    return byId<HTMLInputElement>("anonymise").checked;
  }

  #drawTimeline(item: Item | null): void {
    const temporal = item !== null && item.kind !== "image" && item.moments.length > 0;
    byId("time").hidden = !temporal;
    if (!temporal) return;
    byId("play").hidden = !item.video || !item.done;
    showTimeline({
      moments: item.moments,
      labels: item.labels,
      tracks: item.tracks,
      track: this.#track,
      at: this.#wanted,
      durationS: item.video?.durationS ?? item.moments.at(-1)!.timeS,
      live: item.kind === "camera",
    });
  }

  #makeThumbnail(item: Item, image: ImageData, faces: readonly Face[]): void {
    item.thumbnail = { plain: thumbnail(image), anonymised: thumbnail(covered(image, faces)) };
  }

  #refreshLists(): void {
    this.#tableShown = performance.now();
    showStrip(this.items, this.#current, this.anonymise, (item) => this.select(item), (item) => this.retry([item]));
    showRetry(this.items, this.#current);
    showTable(this.items, this.#labels);
  }

  /** After the anonymise or landmarks switch. */
  switched(): void {
    this.draw();
    this.#refreshLists();
  }

  download(kind: string): void {
    this.attempt(downloadTable(kind, this.items, this.#labels));
  }
}
