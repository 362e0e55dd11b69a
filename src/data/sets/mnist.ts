/** MNIST: 70,000 grey images of handwritten digits. */
import type { ImageDataset } from "../dataset.ts";
import { loadMnistFiles, mnistCounts, mnistSources } from "../mnist-files.ts";

/**
 * @source http://yann.lecun.com/exdb/mnist/ (files). Checksums of the four `.gz` files as pinned by torchvision-ruby and others, which
 * agree; none is known for the uncompressed files. The official server often refuses, so the mirrors that torchvision and TensorFlow
 * use come first; mean and deviation as torchvision's examples have them.
 */
export const dataset: ImageDataset = {
  kind: "images",
  name: "mnist",
  summary: "handwritten digits, 28×28 grey, 10 classes, 60,000 to train and 10,000 to test",
  homepage: "http://yann.lecun.com/exdb/mnist/",
  licence: "none declared by its page; cite LeCun, Bottou, Bengio, Haffner 1998",
  channels: 1,
  height: 28,
  width: 28,
  classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  normalisation: { mean: [0.1307], deviation: [0.3081] },
  counts: mnistCounts,
  balanced: false,
  sources: mnistSources(
    [
      "https://ossci-datasets.s3.amazonaws.com/mnist",
      "https://storage.googleapis.com/cvdf-datasets/mnist",
      "http://yann.lecun.com/exdb/mnist",
    ],
    {
      "train-images-idx3-ubyte": {
        gzipBytes: 9_912_422,
        gzipSha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        sha256: null,
      },
      "train-labels-idx1-ubyte": {
        gzipBytes: 28_881,
        gzipSha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        sha256: null,
      },
      "t10k-images-idx3-ubyte": {
        gzipBytes: 1_648_877,
        gzipSha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        sha256: null,
      },
      "t10k-labels-idx1-ubyte": {
        gzipBytes: 4_542,
        gzipSha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        sha256: null,
      },
    },
  ),
  load: (folder, split) => loadMnistFiles(dataset, folder, split),
};
