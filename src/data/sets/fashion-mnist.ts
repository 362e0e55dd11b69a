/** Fashion-MNIST: 70,000 grey images of clothes in ten classes. */
import type { ImageDataset } from "../dataset.ts";
import { loadMnistFiles, mnistCounts, mnistSources } from "../mnist-files.ts";

/**
 * @source https://github.com/zalandoresearch/fashion-mnist (files, md5 sums, classes). Checksums: of files whose md5 are the published
 * ones. Mean and deviation: of its training images.
 */
export const dataset: ImageDataset = {
  kind: "images",
  name: "fashion-mnist",
  summary: "clothes, 28×28 grey, 10 classes, 60,000 to train and 10,000 to test",
  homepage: "https://github.com/zalandoresearch/fashion-mnist",
  licence: "MIT, © 2017 Zalando SE",
  channels: 1,
  height: 28,
  width: 28,
  classes: [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
  ], // prettier-ignore
  normalisation: { mean: [0.286], deviation: [0.353] },
  counts: mnistCounts,
  balanced: true,
  sources: mnistSources(["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"], {
    "train-images-idx3-ubyte": {
      gzipBytes: 26_421_880,
      gzipSha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
      sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    },
    "train-labels-idx1-ubyte": {
      gzipBytes: 29_515,
      gzipSha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
      sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    },
    "t10k-images-idx3-ubyte": {
      gzipBytes: 4_422_102,
      gzipSha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
      sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    },
    "t10k-labels-idx1-ubyte": {
      gzipBytes: 5_148,
      gzipSha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
      sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
  }),
  load: (folder, split) => loadMnistFiles(dataset, folder, split),
};
