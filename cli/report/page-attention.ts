/**
 * What draws attention inside `report.html`. As in `page.ts`, the report carries the text of these functions: no imports,
 * no constants of this module.
 */
import type { HeadMap } from "../../src/train/run-summary.ts";
import type { AttentionPictures } from "./attention.ts";

/** Draws all pictures of attention, again when colours or the screen change, and makes the buttons of heads work. */
export function startAttention(): void {
  const text = document.getElementById("attention")?.textContent;
  if (!text) return;
  const { texts, images } = JSON.parse(text) as AttentionPictures;
  const draws = [...texts.map(startText), ...images.map((image) => () => drawImages(image))];
  const draw = (): void => draws.forEach((each) => each());
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("resize", draw);
}

export function startText(picture: AttentionPictures["texts"][number]): () => void {
  const place = document.getElementById(picture.id);
  if (place === null) return () => undefined;
  const buttons = [...place.querySelectorAll("button")];
  const large = place.querySelector<HTMLCanvasElement>("figure canvas");
  const caption = place.querySelector("figcaption");
  const maps = picture.maps.flat();
  let chosen = 0;
  const describe = (what: string): void => {
    if (caption) caption.textContent = `${buttons[chosen].getAttribute("aria-label") ?? ""}${what}`;
  };
  const enlarge = (): void => {
    if (large) drawLarge(large, picture.tokens, maps[chosen], buttons[chosen].getAttribute("aria-label") ?? "");
    describe("");
  };
  for (const [i, button] of buttons.entries())
    button.addEventListener("click", () => {
      chosen = i;
      for (const [j, other] of buttons.entries()) other.setAttribute("aria-pressed", String(i === j));
      enlarge();
    });
  large?.addEventListener("mousemove", (event) => {
    const { tokens } = picture;
    const [cell, left, top] = (large.dataset.grid ?? "1,0,0").split(",").map(Number);
    const zoom = large.clientWidth / Number(large.dataset.width ?? 1);
    const [row, column] = [(event.offsetY / zoom - top) / cell, (event.offsetX / zoom - left) / cell].map(Math.floor);
    if (tokens[row] === undefined || tokens[column] === undefined) return describe("");
    const p = probabilitiesOf(maps[chosen])[row * tokens.length + column];
    describe(` · ${row + 1} ${tokens[row]} reads ${column + 1} ${tokens[column]}: ${p.toFixed(3)}`);
  });
  return () => {
    for (const [i, button] of buttons.entries()) {
      const canvas = button.querySelector("canvas");
      if (canvas) paintMap(canvas, maps[i], picture.tokens.length);
    }
    enlarge();
  };
} // prettier-ignore

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

export function probabilitiesOf({ shares, top }: HeadMap): number[] {
  return Array.from(bytesOf(shares), (byte) => (byte / 255) * top);
}

/** `#2f62c9` as red, green, blue. */
export function channelsOf(color: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
}

/** A pixel a probability, in the page's first colour: the more, the less of the page shows through. */
export function paintMap(canvas: HTMLCanvasElement, map: HeadMap, columns: number): void {
  const probabilities = probabilitiesOf(map);
  const pixels = new ImageData(columns, probabilities.length / columns);
  const color = channelsOf(pageColor("--tone-0"));
  for (const [i, p] of probabilities.entries())
    pixels.data.set([...color, Math.round(255 * Math.sqrt(p))], 4 * i);
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}

/** A map with a label at each row and column. */
export function drawLarge(
  canvas: HTMLCanvasElement,
  tokens: readonly string[],
  map: HeadMap,
  label: string,
): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const font = "11px ui-monospace, monospace";
  context.font = font;
  const margin = 10 + Math.max(...tokens.map((token) => context.measureText(token).width));
  const room = (canvas.parentElement?.clientWidth ?? 600) - margin - 4;
  const cell = Math.max(11, Math.min(24, Math.floor(room / tokens.length)));
  const size = cell * tokens.length;
  const zoom = window.devicePixelRatio || 1;
  canvas.width = Math.round((margin + size + 2) * zoom);
  canvas.height = Math.round((margin + size + 2) * zoom);
  canvas.style.width = `${margin + size + 2}px`;
  canvas.dataset.width = String(margin + size + 2);
  canvas.dataset.grid = `${cell},${margin},${margin}`;
  canvas.setAttribute("aria-label", `${label}, each of ${tokens.length} tokens by each`);
  context.scale(zoom, zoom);
  context.font = font;
  context.fillStyle = pageColor("--quiet");
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const [i, token] of tokens.entries()) context.fillText(token, margin - 5, margin + (i + 0.5) * cell);
  const upright = tokens.every((token) => token.length === 1);
  context.textAlign = upright ? "center" : "left";
  for (const [i, token] of tokens.entries()) {
    context.save();
    context.translate(margin + (i + 0.5) * cell, margin - (upright ? 10 : 5));
    if (!upright) context.rotate(-Math.PI / 2);
    context.fillText(token, 0, 0);
    context.restore();
  }
  const small = document.createElement("canvas");
  paintMap(small, map, tokens.length);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, margin, margin, size, size);
  context.strokeStyle = pageColor("--line");
  context.strokeRect(margin - 0.5, margin - 0.5, size + 1, size + 1);
}

export function drawImages(picture: AttentionPictures["images"][number]): void {
  const place = document.getElementById(picture.id);
  if (place === null) return;
  const [original, ...cells] = [...place.querySelectorAll("canvas")];
  const image = paintImage(picture);
  paintOver(original, image, []);
  const columns = picture.grid[1];
  const means = picture.maps.map((heads) => meanMap(heads));
  const all = picture.maps.flatMap((heads, layer) => [means[layer], ...heads.map(probabilitiesOf)]);
  for (const [i, cell] of cells.entries()) paintOver(cell, image, all[i] ?? [], columns);
}

/** Mean probability of each patch over heads. */
export function meanMap(heads: readonly HeadMap[]): number[] {
  const all = heads.map(probabilitiesOf);
  return (all[0] ?? []).map((_, i) => all.reduce((sum, map) => sum + map[i], 0) / all.length);
}

export function paintImage({ pixels, channels, height, width }: AttentionPictures["images"][number]) {
  const bytes = bytesOf(pixels);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const data = new ImageData(width, height);
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    const color = [0, 1, 2].map((c) => bytes[Math.min(c, channels - 1) * plane + i]);
    data.data.set([...color, 255], 4 * i);
  }
  canvas.getContext("2d")?.putImageData(data, 0, 0);
  return canvas;
}

/** The image in dark grey, and what is read of each patch as light on it, up to the most. Without probabilities the image itself. */
export function paintOver(
  canvas: HTMLCanvasElement,
  image: HTMLCanvasElement,
  probabilities: readonly number[],
  columns = 1,
): void {
  const zoom = Math.max(1, Math.ceil(96 / image.width));
  canvas.width = image.width * zoom;
  canvas.height = image.height * zoom;
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.imageSmoothingEnabled = false;
  if (probabilities.length > 0) context.filter = "grayscale(1) brightness(0.5)";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  context.filter = "none";
  const rows = probabilities.length / columns;
  const [width, height] = [canvas.width / columns, canvas.height / rows];
  const top = Math.max(...probabilities);
  context.fillStyle = "#ff7a1a";
  context.globalCompositeOperation = "lighter"; // the image stays to be seen
  for (const [i, p] of probabilities.entries()) {
    context.globalAlpha = (0.85 * p) / top;
    context.fillRect((i % columns) * width, Math.floor(i / columns) * height, width, height);
  }
  context.globalAlpha = 1;
}

declare function pageColor(name: string): string;

/** The functions whose text the page's script takes from here. */
export const attentionFunctions = [
  startAttention,
  startText,
  bytesOf,
  probabilitiesOf,
  channelsOf,
  paintMap,
  drawLarge,
  drawImages,
  meanMap,
  paintImage,
  paintOver,
];
