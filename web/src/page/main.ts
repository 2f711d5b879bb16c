// The page starts here: its events.

import { App } from "./app";
import type { Mode } from "./backend";
import { byId } from "./dom";
import { startTheme } from "./theme";
import example from "../../../examples/astronaut.jpg?url";

const app = new App();

function filesOf(data: DataTransfer | null): File[] {
  return [...(data?.files ?? [])];
}

function startInput(): void {
  const input = byId<HTMLInputElement>("files");
  byId("choose").onclick = () => input.click();
  input.onchange = () => {
    app.add([...(input.files ?? [])]);
    input.value = "";
  };
  byId("camera").onclick = () => app.camera();
  byId("example").onclick = () => app.attempt(addExample());
  const drop = byId("drop");
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) drop.classList.remove("over");
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    app.add(filesOf(event.dataTransfer));
  });
  window.addEventListener("paste", (event) => {
    if (event.target instanceof HTMLInputElement) return;
    app.add(filesOf(event.clipboardData));
  });
}

async function addExample(): Promise<void> {
  const file = await (await fetch(example)).blob();
  app.add([new File([file], "astronaut.jpg", { type: "image/jpeg" })]);
}

function startControls(): void {
  byId("stop").onclick = () => app.stop();
  byId("play").onclick = () => app.play();
  byId("again").onclick = () => app.retryCurrent();
  byId("again-all").onclick = () => app.retry(app.items);
  byId("anonymise").onchange = () => app.switched();
  byId("landmarks").onchange = () => app.switched();
  byId<HTMLInputElement>("seek").oninput = (event) => app.seek(Number((event.target as HTMLInputElement).value));
  byId<HTMLSelectElement>("track").onchange = (event) => app.chooseTrack(Number((event.target as HTMLSelectElement).value));
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-download]")) {
    button.onclick = () => app.download(button.dataset.download ?? "csv");
  }
  byId("modes").onchange = (event) => {
    const mode = (event.target as HTMLInputElement).value as Mode;
    app.backend.remember(mode);
    void app.setMode(mode);
  };
  byId<HTMLFormElement>("token-form").onsubmit = (event) => {
    event.preventDefault();
    void app.setMode("server", byId<HTMLInputElement>("token").value.trim());
  };
  window.addEventListener("resize", () => app.draw());
}

startTheme();
startInput();
startControls();
void app.start();
if ("serviceWorker" in navigator && import.meta.env.PROD) {
  navigator.serviceWorker.register("sw.js").catch(() => undefined); // then the page works, but not offline
}
