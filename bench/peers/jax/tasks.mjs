// The tasks of protocol.ts in jax-js.
import { adam } from "./adam.mjs";
import { gpt } from "./gpt.mjs";

/** Waits until arrays are computed, without giving them up. */
const settled = async (jax, arrays) => {
  const { tree, blockUntilReady } = jax;
  tree.dispose(await blockUntilReady(tree.ref(arrays)));
};

/** A compiled training step: forward, backward, update. Gives the loss. */
function trainer(jax, loss, initial, optimizer) {
  const { tree, jit, valueAndGrad } = jax;
  const compiled = jit((weights, moments, x, y) => {
    const [value, gradients] = valueAndGrad(loss)(tree.ref(weights), x, y);
    return [...optimizer.update(gradients, moments, weights), value];
  });
  let parameters = initial;
  let state = optimizer.init(tree.ref(initial));
  return async (x, y) => {
    let value;
    [parameters, state, value] = compiled(parameters, state, x, y);
    await settled(jax, [parameters, state]);
    return value.jsAsync();
  };
}

export const tasks = {
  async gemm(jax, { sizes, normals, measure, checkProduct }, milliseconds) {
    const { numpy: np, jit, blockUntilReady } = jax;
    const product = jit((a, b) => np.matmul(a, b));
    for (const n of sizes.gemm) {
      const [hostA, hostB] = [normals(n, n * n), normals(n + 1, n * n)];
      const [a, b] = [hostA, hostB].map((data) => np.array(data).reshape([n, n]));
      const row = await product(a.ref, b.ref).slice(3).data();
      checkProduct(n, hostA, hostB, row[5]);
      await measure(`gemm ${n}`, milliseconds / sizes.gemm.length, async () => {
        (await blockUntilReady(product(a.ref, b.ref))).dispose();
      });
      a.dispose();
      b.dispose();
    }
  },

  async mlp(jax, { sizes, normals, classBatches, measure }, milliseconds) {
    const { numpy: np, nn } = jax;
    const { batch, widths, lr } = sizes.mlp;
    const layers = widths.slice(1).map((out, i) => ({
      weight: np.array(normals(i + 1, widths[i] * out, Math.sqrt(2 / widths[i]))).reshape([widths[i], out]),
      bias: np.zeros([out]),
    }));
    const loss = ([first, second, third], x, y) => {
      let h = nn.relu(np.dot(x, first.weight).add(first.bias));
      h = nn.relu(np.dot(h, second.weight).add(second.bias));
      const logits = np.dot(h, third.weight).add(third.bias);
      return nn
        .logSoftmax(logits)
        .mul(nn.oneHot(y, 10))
        .sum()
        .mul(-1 / batch);
    };
    const batches = classBatches(8, batch, widths[0], 7).map(({ x, y }) => [
      np.array(x).reshape([batch, widths[0]]),
      np.array(y, { dtype: np.int32 }),
    ]);
    const step = trainer(jax, loss, layers, adam(jax, lr));
    await measure("mlp", milliseconds, (i) => step(...batches[i % batches.length].map((x) => x.ref)));
  },

  async convnet(jax, { sizes, normals, classBatches, measure }, milliseconds) {
    const { numpy: np, nn, lax } = jax;
    const { batch, size, channels, classes, lr } = sizes.convnet;
    const drawn = (seed, from, shape) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return np.array(normals(seed, length, Math.sqrt(1 / (3 * from)))).reshape(shape);
    };
    const stages = channels.slice(1).map((out, i) => ({
      weight: drawn(i + 1, 9 * channels[i], [out, channels[i], 3, 3]),
      bias: np.zeros([out, 1, 1]),
    }));
    const left = (size / 2 ** stages.length) ** 2 * channels[stages.length];
    const head = { weight: drawn(9, left, [left, classes]), bias: np.zeros([classes]) };
    const pool = (x) => lax.reduceWindow(x, np.max, [2, 2], [2, 2]);
    const loss = ([parts, { weight, bias }], images, y) => {
      const convolved = (x, p) => lax.convGeneralDilated(x, p.weight, [1, 1], "SAME").add(p.bias);
      const features = parts.reduce((x, p) => pool(nn.relu(convolved(x, p))), images);
      const logits = np.dot(features.reshape([batch, left]), weight).add(bias);
      return nn
        .logSoftmax(logits)
        .mul(nn.oneHot(y, classes))
        .sum()
        .mul(-1 / batch);
    };
    const data = classBatches(8, batch, size * size * channels[0], 11);
    const batches = data.map(({ x, y }) => [
      np.array(x).reshape([batch, channels[0], size, size]),
      np.array(y, { dtype: np.int32 }),
    ]);
    const step = trainer(jax, loss, [stages, head], adam(jax, lr));
    await measure("convnet", milliseconds, (i) => step(...batches[i % batches.length].map((x) => x.ref)));
  },

  async gpt(jax, protocol, milliseconds) {
    const { numpy: np } = jax;
    const { sizes, tokenBatches, measure } = protocol;
    const { parameters, loss } = gpt(jax, protocol);
    const batches = tokenBatches(8, sizes.gpt, 9).map(({ x, y }) =>
      [x, y].map((tokens) => np.array(tokens, { dtype: np.int32 })),
    );
    const step = trainer(jax, loss, parameters, adam(jax, sizes.gpt.lr, sizes.gpt.weightDecay));
    await measure("gpt", milliseconds, (i) => step(...batches[i % batches.length].map((x) => x.ref)));
  },

  async adam(jax, { sizes, normals, measure }, milliseconds) {
    const { numpy: np, jit } = jax;
    const optimizer = adam(jax, sizes.adam.lr);
    let parameters = np.array(normals(4, sizes.adam.parameters));
    const gradient = np.array(normals(3, sizes.adam.parameters));
    let state = optimizer.init(parameters.ref);
    const compiled = jit((w, moments, g) => optimizer.update(g, moments, w));
    await measure("adam", milliseconds, async () => {
      [parameters, state] = compiled(parameters, state, gradient.ref);
      await settled(jax, [parameters, state]);
    });
  },
};
