/** Fashion-MNIST: 70,000 grey images of clothes in ten classes. */
import type { ImageDataset } from "../image-set.ts";
import { loadMnistFiles } from "../mnist-files.ts";

const base = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";

/** @source https://github.com/zalandoresearch/fashion-mnist (files, classes); mean and deviation of its training images. */
export const dataset: ImageDataset = {
  name: "fashion-mnist",
  summary: "clothes, 28×28 grey, 10 classes, 60,000 to train and 10,000 to test",
  channels: 1,
  height: 28,
  width: 28,
  classes: [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
  ], // prettier-ignore
  normalisation: { mean: [0.286], deviation: [0.353] },
  sources: [
    { url: `${base}/train-images-idx3-ubyte.gz`, bytes: 26421880, sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84" },
    { url: `${base}/train-labels-idx1-ubyte.gz`, bytes: 29515, sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845" },
    { url: `${base}/t10k-images-idx3-ubyte.gz`, bytes: 4422102, sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073" },
    { url: `${base}/t10k-labels-idx1-ubyte.gz`, bytes: 5148, sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5" },
  ], // prettier-ignore
  load: (folder, split) => loadMnistFiles(dataset, folder, split),
};
