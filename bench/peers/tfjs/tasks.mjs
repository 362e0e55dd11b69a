// The tasks of protocol.ts in TensorFlow.js.
import { gpt } from "./gpt.mjs";

const variableOf = (tf) => (data, shape) => tf.variable(tf.tensor(data, shape, "float32"));

/** Mean cross entropy of logits [rows, classes]. */
const crossEntropy = (tf, logits, y) => {
  const chosen = tf.mul(tf.logSoftmax(logits), tf.oneHot(y, logits.shape[1]));
  return tf.neg(tf.mean(tf.sum(chosen, -1)));
};

/** A training step: forward, backward, update. Gives the loss. */
function trainer(tf, logits, lr, batches) {
  const optimizer = tf.train.adam(lr);
  return async (i) => {
    const { x, y } = batches[i % batches.length];
    const loss = optimizer.minimize(() => crossEntropy(tf, logits(x), y), true);
    const [value] = await loss.data();
    loss.dispose();
    return value;
  };
}

const classes = (tf, batches, shape) =>
  batches.map(({ x, y }) => ({ x: tf.tensor(x, shape), y: tf.tensor1d(y, "int32") }));

export const tasks = {
  async gemm(tf, { sizes, normals, measure, checkProduct }, milliseconds) {
    for (const n of sizes.gemm) {
      const [hostA, hostB] = [normals(n, n * n), normals(n + 1, n * n)];
      const [a, b] = [hostA, hostB].map((data) => tf.tensor2d(data, [n, n]));
      const product = tf.matMul(a, b);
      checkProduct(n, hostA, hostB, (await product.data())[3 * n + 5]);
      product.dispose();
      await measure(`gemm ${n}`, milliseconds / sizes.gemm.length, () => {
        // On wasm it is computed when matMul returns.
        tf.matMul(a, b).dispose();
      });
      a.dispose();
      b.dispose();
    }
  },

  async mlp(tf, { sizes, normals, classBatches, measure }, milliseconds) {
    const { batch, widths, lr } = sizes.mlp;
    const variable = variableOf(tf);
    const layers = widths.slice(1).map((out, i) => ({
      weight: variable(normals(i + 1, widths[i] * out, Math.sqrt(2 / widths[i])), [widths[i], out]),
      bias: variable(new Float32Array(out), [out]),
    }));
    const logits = (x) =>
      layers.reduce((h, { weight, bias }, i) => {
        const out = tf.add(tf.matMul(h, weight), bias);
        return i < layers.length - 1 ? tf.relu(out) : out;
      }, x);
    const batches = classes(tf, classBatches(8, batch, widths[0], 7), [batch, widths[0]]);
    await measure("mlp", milliseconds, trainer(tf, logits, lr, batches));
  },

  async convnet(tf, { sizes, normals, classBatches, measure }, milliseconds) {
    const { batch, size, channels, classes: count, lr } = sizes.convnet;
    const variable = variableOf(tf);
    const affine = (seed, shape) => {
      const out = shape[shape.length - 1];
      const from = shape.slice(0, -1).reduce((a, b) => a * b, 1);
      const weight = variable(normals(seed, from * out, Math.sqrt(1 / (3 * from))), shape);
      return { weight, bias: variable(new Float32Array(out), [out]) };
    };
    const stages = channels.slice(1).map((out, i) => affine(i + 1, [3, 3, channels[i], out]));
    const left = (size / 2 ** stages.length) ** 2 * channels[stages.length];
    const head = affine(9, [left, count]);
    const logits = (images) => {
      let x = images;
      for (const { weight, bias } of stages)
        x = tf.maxPool(tf.relu(tf.add(tf.conv2d(x, weight, 1, "same"), bias)), 2, 2, "valid");
      return tf.add(tf.matMul(tf.reshape(x, [batch, left]), head.weight), head.bias);
    };
    const data = classBatches(8, batch, size * size * channels[0], 11);
    const batches = classes(tf, data, [batch, size, size, channels[0]]);
    await measure("convnet", milliseconds, trainer(tf, logits, lr, batches));
  },

  async gpt(tf, protocol, milliseconds) {
    const { sizes, tokenBatches, measure } = protocol;
    const logits = gpt(tf, protocol, variableOf(tf));
    const batches = tokenBatches(8, sizes.gpt, 9).map(({ x, y }) => ({
      x: tf.tensor1d(x, "int32"),
      y: tf.tensor1d(y, "int32"),
    }));
    // Adam without decay: it has no AdamW.
    await measure("gpt", milliseconds, trainer(tf, logits, sizes.gpt.lr, batches));
  },

  async adam(tf, { sizes, normals, measure }, milliseconds) {
    const { parameters, lr } = sizes.adam;
    const weight = variableOf(tf)(normals(4, parameters), [parameters]);
    const tensor = tf.tensor1d(normals(3, parameters));
    const optimizer = tf.train.adam(lr);
    await measure("adam", milliseconds, () => optimizer.applyGradients([{ name: weight.name, tensor }]));
  },
};
