/** What vision transformers look at. */
import type { ImageBatch } from "../../src/data/image-batches.ts";
import { attentionOf, classTokenMaps } from "../../src/train/attention-maps.ts";
import { base64 } from "../../src/train/base64.ts";
import { displayBytes, type JudgedImages } from "../../src/train/image-report.ts";
import { scoresOf } from "../../src/train/image-trainer.ts";
import { likeliest } from "../../src/train/likeliest.ts";
import type { ImageAttention, RunSummary } from "../../src/train/run-summary.ts";
import type { ImagesSession } from "../session.ts";
import { normalisationOf } from "../tasks/image-lines.ts";

/** Most images, and pixels of all of them together: a report is not to grow heavy. */
const [mostImages, mostPixels] = [4, 60_000];

/** What the class token sees of the first images of a set. Not inside a step. Nothing for a model without attention. */
export async function attentionToImages(
  session: ImagesSession,
  { batches, ...set }: JudgedImages,
): Promise<Partial<Pick<RunSummary, "attention">>> {
  const count = Math.max(1, Math.min(mostImages, Math.floor(mostPixels / (set.height * set.width))));
  const images: ImageAttention[] = [];
  for await (const batch of batches) {
    for (let row = 0; row < batch.rows && images.length < count; row++) {
      const { image, layers } = await attentionTo(session, imageOf(batch, row), set);
      if (layers.length === 0) return {};
      images.push(image);
      if (images.length === count) return { attention: { layers, texts: [], images } };
    }
  }
  return {};
}

type Shape = Omit<JudgedImages, "batches">;

async function attentionTo(session: ImagesSession, batch: ImageBatch, { classes, ...shape }: Shape) {
  const { device, policy, config, trainer } = session;
  const { logits, layers } = await attentionOf(device, { policy, seed: config.seed }, (pass) =>
    scoresOf(device, trainer.model, batch, pass),
  );
  const { channels, height, width } = shape;
  const [found] = likeliest(logits, classes.length);
  const own = classes[batch.labels[0]];
  const image: ImageAttention = {
    caption: classes[found] === own ? own : `${own}, taken for ${classes[found]}`,
    channels,
    height,
    width,
    pixels: base64(displayBytes(batch.pixels, channels, normalisationOf(config))),
    grid: gridOf(shape, (layers[0]?.length ?? 1) - 1),
    maps: layers.map(classTokenMaps),
  };
  return { image, layers: layers.map(({ layer, format }) => ({ name: layer, format })) };
}

/** Rows and columns of so many square patches. */
function gridOf({ height, width }: Omit<Shape, "classes">, patches: number): [number, number] {
  const side = Math.sqrt((height * width) / Math.max(1, patches));
  return [Math.round(height / side), Math.round(width / side)];
}

/** One image of a batch, as a batch. */
function imageOf({ pixels, labels, rows }: ImageBatch, row: number): ImageBatch {
  const size = pixels.length / rows;
  return {
    rows: 1,
    pixels: pixels.subarray(row * size, (row + 1) * size),
    labels: labels.subarray(row, row + 1),
    mixture: null,
  };
}
